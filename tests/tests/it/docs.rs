//! What the pages under `docs/` say of the code is true.

mod errors;
mod guards;
