//! Builds the console anew when a file of its pages comes or goes; a change of one that is there is seen without this.

fn main() {
    println!("cargo::rerun-if-changed=web");
}
