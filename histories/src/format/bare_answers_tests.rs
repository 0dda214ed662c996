//! Tests of answers of reads that leave out the key.

use crate::{History, Note, ReadOptions, Value, read_bytes, read_file_with};

fn text(added: &str, answers: &[&str]) -> String {
    let add = format!("{{:process 0, :type :invoke, :f :add, :value {added}}}\n");
    let mut text = add.replace(":invoke", ":ok");
    text.insert_str(0, &add);
    for answer in answers {
        text += "{:process 0, :type :invoke, :f :read, :value [7 nil]}\n";
        text += &format!("{{:process 0, :type :ok, :f :read, :value {answer}}}\n");
    }
    text
}

fn read(answers: &[&str]) -> Result<History, String> {
    read_bytes("h", text("[7 1]", answers).as_bytes(), None).map_err(|error| error.to_string())
}

fn shown(history: &History) -> Vec<(String, String)> {
    let of = |id| history.value(id).to_string();
    history.operations.iter().skip(1).map(|read| (of(read.key), of(read.output))).collect()
}

#[test]
fn an_answer_without_its_key_is_the_value_of_that_key() {
    let answers = ["[]", "[1]", "[7 1]", "[7 1 2]"];
    let history = read(&answers).unwrap();
    let expected = ["[]", "[1]", "[7,1]", "[7,1,2]"].map(|answer| ("7".to_owned(), answer.to_owned()));
    assert_eq!(shown(&history), expected, "of a set that has got 7 elements, one answer looks like a pair");
    assert_eq!(history.notes, [Note::AnswersWithoutKey]);
    let history = read(&["1", "2"]).unwrap();
    assert_eq!(shown(&history), [("7".to_owned(), "1".to_owned()), ("7".to_owned(), "2".to_owned())]);
}

#[test]
fn answers_with_and_without_key_in_one_history_are_refused() {
    for answers in [&["1", "[7 1]"][..], &["[7 1]", "1"], &["1", "[8 1]"], &["[1]", "[7 [1]]"], &["[7 [1]]", "[1 2 3]"]]
    {
        let said = read(answers).expect_err("nobody can tell");
        assert!(said.contains("some reads are answered with the key"), "{answers:?}: {said}");
    }
    let usual = read(&["[7 [1]]", "[7 nil]"]).unwrap();
    assert_eq!((shown(&usual)[0].1.as_str(), &usual.notes[..]), ("[1]", &[][..]));
}

#[test]
fn what_no_read_asked_for_stays_as_it_is() {
    // Nothing else shows that values are keyed.
    let plain = text("5", &["[1 2 3]"]);
    let history = read_bytes("h", plain.as_bytes(), None).unwrap();
    assert_eq!(history.value(history.operations[1].key), &Value::Nil);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    std::fs::write(&path, text("[7 1]", &["[1]"])).unwrap();
    let of = |keyed| read_file_with(&path, &ReadOptions { keyed: Some(keyed), ..ReadOptions::default() }).unwrap();
    assert_eq!(shown(&of(true)), [("7".to_owned(), "[1]".to_owned())]);
    assert_eq!(of(false).value(of(false).operations[1].key), &Value::Nil);
}
