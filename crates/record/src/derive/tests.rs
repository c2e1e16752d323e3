use super::*;

#[test]
fn names_in_messages_are_names_that_parse() {
    for name in Form::names() {
        assert!(Form::parse(name).is_some(), "{name}");
    }
}
