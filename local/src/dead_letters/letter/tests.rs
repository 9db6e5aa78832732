use super::*;

#[test]
fn a_line_says_whom_and_what_a_letter_is_about() {
    let tick = r#"{"org_id":"o1","call_id":"c1","urgent":false}"#;
    assert_eq!(about(tick), "call_id=c1 org_id=o1");
    assert_eq!(about("[1]"), "not a message of ours");
}
