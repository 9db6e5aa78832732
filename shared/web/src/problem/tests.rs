use super::*;

#[test]
fn a_sentence_that_repeats_what_was_sent_is_for_the_client_alone() {
    let sent = "to: invalid type: integer `447700900456`, expected a string.";
    let problem = Problem::new(Code::InvalidValue).repeating(sent);
    assert_eq!((problem.detail.as_str(), problem.logged()), (sent, Code::InvalidValue.parts().2));
    let long = Problem::new(Code::InvalidValue).repeating(&"é".repeat(5_000));
    assert_eq!(long.detail.chars().count(), LONGEST_REPEATED + 1);
    let ours = Problem::new(Code::InvalidValue).saying("The day has no such hour.");
    assert_eq!(ours.logged(), "The day has no such hour.");
}
