//! What we mark the things with that we make at vendors: the keys of their metadata.

/// Names the environment that a thing belongs to.
pub const ENVIRONMENT: &str = "voxanne_environment";
/// Names the deployment that made a thing.
pub const STACK: &str = "voxanne_stack";
