//! Tests of how unknown fields are told.

use super::unknown_fields::MAX_NAMES;
use crate::{History, ReadError, read_bytes};

fn read(text: &str) -> Result<History, ReadError> {
    read_bytes("h", text.as_bytes(), None)
}

fn notes(text: &str) -> Vec<String> {
    let history = read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    history.notes.iter().map(ToString::to_string).collect()
}

const WRITE: &str = "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n\
    {\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1}\n";

#[test]
fn unknown_fields_are_named_once_with_what_they_may_stand_for() {
    let text = WRITE.replace('{', "{\"tyme\":1,\"shard\":[{}],");
    let [tyme, shard] = [
        "the field `tyme` is unknown and was ignored, in 2 events: did you mean `time`?",
        "the field `shard` is unknown and was ignored, in 2 events",
    ];
    assert_eq!(notes(&text), [tyme, shard]);
    let edn = "{:process 0 :type :invoke :f :write :value 1 :keey 4}\n{:process 0 :type :ok :f :write :Value 2}";
    let keey = "the field `:keey` is unknown and was ignored, in 1 event: did you mean `:key`?";
    let value = "the field `:Value` is unknown and was ignored, in 1 event: did you mean `:value`?";
    assert_eq!(notes(edn), [keey, value]);
}

#[test]
fn fields_of_jepsen_and_of_faults_are_no_news() {
    let extra = "\"debug\":{},\"exception\":{\"via\":[]},\"clock-offsets\":{\"n1\":0.1}";
    let fault = "{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\",\"grudge\":{}}\n";
    let text = format!("{}{fault}", WRITE.replace('{', &format!("{{{extra},")));
    assert_eq!(notes(&text), Vec::<String>::new());
}

#[test]
fn no_more_names_are_kept_than_anybody_reads() {
    let fields: Vec<String> = (0..100).map(|number| format!("\"x{number}\":0,")).collect();
    let notes = notes(&WRITE.replace('{', &format!("{{{}", fields.concat())));
    assert_eq!(notes.len(), MAX_NAMES + 1);
    assert_eq!(notes[MAX_NAMES], "further unknown fields were ignored, in 2 events");
    let long = "y".repeat(1000);
    let text = WRITE.replace('{', &format!("{{\"{long}\":0,"));
    assert!(read(&text).expect("it is read").notes[0].to_string().len() < 150);
}

#[test]
fn an_error_names_the_fields_that_may_explain_it() {
    for (text, why) in [
        (WRITE.replace("value", "val"), "note: the field `val` is unknown"),
        (WRITE.replace("\"type", "\"typ"), "expected type in the operation; it has `typ`"),
        (WRITE.replace("\"f\"", "\"func\""), "expected f in the operation"),
        (WRITE.replacen("process", "processes", 1), "note: the field `processes` is unknown"),
        ("{:process 0 :typ :ok :f :read}".to_owned(), "expected :type in the operation; it has `:typ`"),
        ("{:process 0 \"type\" \"ok\"}".to_owned(), "it has `\"type\"`"),
        ("{\"input\":{\"op\":\"get\"},\"return\":4}".to_owned(), "lacks the time of its call"),
    ] {
        let error = read(&text).expect_err(&text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}
