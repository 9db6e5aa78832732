//! The workspace's own crates, whose log lines are ours to answer for.

/// Returns the name of each crate of the workspace, as the targets of its log lines begin: the last part of
/// its folder, with `_` for `-`. The command's own lines begin with `voxanne`.
///
/// Read from `Cargo.toml`, so that no crate is left out when it is new or has another name.
pub fn names() -> Vec<String> {
    let manifest = include_str!("../../Cargo.toml");
    let members =
        manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    let folders = members
        .lines()
        .filter_map(|line| line.trim().trim_end_matches(',').trim_matches('"').rsplit('/').next());
    let names = folders.filter(|name| !name.is_empty()).map(|name| name.replace('-', "_"));
    names.chain(["voxanne".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_crate_is_named() {
        let names = super::names();
        for crate_of in ["store", "services", "web", "vapi_webhook", "sim", "local", "voxanne"] {
            assert!(names.iter().any(|name| name == crate_of), "{crate_of} is not among {names:?}");
        }
    }
}
