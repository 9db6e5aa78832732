//! Who calls: a bearer token, verified, becomes an org, a person and a role.
