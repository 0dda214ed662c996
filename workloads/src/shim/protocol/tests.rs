//! Tests of the lines that shims read, and of what each of theirs means.

use super::*;
use crate::MicroOperation;

fn request(action: Action) -> Request {
    match action {
        Action::Transaction(micro_operations) => Request::transaction(micro_operations),
        action => Request::new(3, action),
    }
}

fn append_and_read() -> Action {
    Action::Transaction(vec![MicroOperation::append(3, 5), MicroOperation::read_list(4)])
}

const CAS: Action = Action::Cas { from: 4, to: 5 };

#[test]
fn a_request_is_a_line_with_the_names_of_the_history() {
    for (action, line) in [
        (Action::Read, r#"{"id":7,"f":"read","key":"k3","read":"quorum"}"#),
        (Action::Write(5), r#"{"id":7,"f":"write","key":"k3","value":5,"read":"quorum"}"#),
        (CAS, r#"{"id":7,"f":"cas","key":"k3","value":[4,5],"read":"quorum"}"#),
        (Action::Elements, r#"{"id":7,"f":"read","key":"k3","read":"quorum"}"#),
        (Action::Add(5), r#"{"id":7,"f":"add","key":"k3","value":5,"read":"quorum"}"#),
        (Action::Enqueue(5), r#"{"id":7,"f":"enqueue","key":"k3","value":5,"read":"quorum"}"#),
        (Action::Dequeue, r#"{"id":7,"f":"dequeue","key":"k3","read":"quorum"}"#),
        (Action::Peek, r#"{"id":7,"f":"peek","key":"k3","read":"quorum"}"#),
        (Action::Count, r#"{"id":7,"f":"read","key":"k3","read":"quorum"}"#),
        (Action::Increment(5), r#"{"id":7,"f":"increment","key":"k3","value":5,"read":"quorum"}"#),
        (Action::AcquireWithToken, r#"{"id":7,"f":"acquire","key":"k3","read":"quorum"}"#),
        (Action::Send(5), r#"{"id":7,"f":"send","key":"k3","value":5,"read":"quorum"}"#),
        (Action::Poll(5), r#"{"id":7,"f":"poll","key":"k3","value":5,"read":"quorum"}"#),
        (Action::Insert, r#"{"id":7,"f":"insert","key":"k3","read":"quorum"}"#),
        (Action::Rows, r#"{"id":7,"f":"rows","key":"k3","read":"quorum"}"#),
        (Action::Release, r#"{"id":7,"f":"release","key":"k3","read":"quorum"}"#),
        (append_and_read(), r#"{"id":7,"f":"txn","value":[["append","k3",5],["r","k4",null]],"read":"quorum"}"#),
    ] {
        let written = request_line(7, &request(action), Some("quorum"));
        assert_eq!(String::from_utf8(written).unwrap(), format!("{line}\n"));
    }
    let written = request_line(1, &request(Action::Peek), None);
    assert_eq!(written, b"{\"id\":1,\"f\":\"peek\",\"key\":\"k3\"}\n");
}

#[test]
fn an_answer_means_what_its_type_and_value_say() {
    let value = |value: i64| Answer::Value(value.into());
    let list = |values: &[i64]| Answer::Value(Value::List(values.iter().map(|&value| value.into()).collect()));
    let nothing = Answer::Value(Value::Nil);
    let refused = |why: &str| Answer::NotDone(why.to_owned());
    let failed = refused("the shim says that it failed");
    for (action, line, answer) in [
        (Action::Read, r#"{"id":7,"type":"ok","value":5}"#, value(5)),
        (Action::Read, r#"{"id":7,"type":"ok","value":null}"#, nothing.clone()),
        (Action::Read, r#"{"id":7,"f":"read","key":"k3","type":"ok","value":5,"anything":{}}"#, value(5)),
        (Action::Write(5), r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Write(5), r#"{"id":7,"type":"ok","value":null}"#, Answer::Done),
        (Action::Write(5), r#"{"id":7,"type":"ok","value":5}"#, Answer::Done),
        (Action::Write(5), r#"{"id":7,"type":"fail","value":5}"#, failed.clone()),
        (Action::Write(5), r#"{"id":7,"type":"fail","error":"no leader"}"#, refused("no leader")),
        (Action::Write(5), r#"{"id":7,"type":"info","error":"reset"}"#, Answer::Unknown("reset".to_owned())),
        (CAS, r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (CAS, r#"{"id":7,"type":"ok","value":[4,5]}"#, Answer::Done),
        (CAS, r#"{"id":7,"type":"fail","value":9}"#, Answer::Mismatch(9.into())),
        (CAS, r#"{"id":7,"type":"fail","value":null}"#, Answer::Mismatch(Value::Nil)),
        (CAS, r#"{"id":7,"type":"fail"}"#, failed.clone()),
        // What a shim repeats of the request, or fills in when it could not ask at all, was not found in the store.
        (CAS, r#"{"id":7,"type":"fail","value":[4,5]}"#, failed.clone()),
        (CAS, r#"{"id":7,"type":"fail","value":null,"error":"no leader"}"#, refused("no leader")),
        (Action::Elements, r#"{"id":7,"type":"ok","value":[1,2]}"#, list(&[1, 2])),
        (Action::Elements, r#"{"id":7,"type":"ok","value":null}"#, list(&[])),
        (Action::Add(5), r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Enqueue(5), r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Dequeue, r#"{"id":7,"type":"ok","value":5}"#, value(5)),
        (Action::Peek, r#"{"id":7,"type":"ok","value":null}"#, nothing.clone()),
        (Action::Count, r#"{"id":7,"type":"ok","value":5}"#, value(5)),
        (Action::Count, r#"{"id":7,"type":"ok","value":null}"#, value(0)),
        (Action::Increment(5), r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Acquire, r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Acquire, r#"{"id":7,"type":"ok","value":9}"#, Answer::Done),
        (Action::AcquireWithToken, r#"{"id":7,"type":"ok","value":9}"#, value(9)),
        (Action::Send(5), r#"{"id":7,"type":"ok","value":2}"#, value(2)),
        (Action::Poll(0), r#"{"id":7,"type":"ok","value":null}"#, list(&[])),
        (Action::Rows, r#"{"id":7,"type":"ok","value":null}"#, list(&[])),
        (Action::AcquireWithToken, r#"{"id":7,"type":"fail"}"#, Answer::Mismatch(Value::Nil)),
        (Action::Release, r#"{"id":7,"type":"ok"}"#, Answer::Done),
        (Action::Release, r#"{"id":7,"type":"fail"}"#, Answer::Mismatch(Value::Nil)),
        (Action::Release, r#"{"id":7,"type":"fail","error":"no leader"}"#, refused("no leader")),
    ] {
        let response = AnswerLine::parse(line.as_bytes()).unwrap().answer(&request(action.clone())).unwrap();
        assert_eq!(response, answer.into(), "{action:?} {line}");
    }
    let expected = r#"{"id":7,"type":"fail","value":4}"#;
    let response = AnswerLine::parse(expected.as_bytes()).unwrap().answer(&request(CAS)).unwrap();
    assert!(matches!(response.answer, Answer::NotDone(_)), "a cas cannot fail on what it expects: {response:?}");
}

#[test]
fn a_transaction_returns_what_was_asked_for_with_what_its_reads_found() {
    let answer = |value: &str| {
        let line = format!(r#"{{"id":7,"type":"ok","value":{value}}}"#);
        AnswerLine::parse(line.as_bytes()).unwrap().answer(&request(append_and_read()))
    };
    for (value, found) in [("[1,2]", Value::List(vec![1.into(), 2.into()])), ("null", Value::List(vec![]))] {
        let expected = Value::List(vec![
            Value::List(vec!["append".into(), "k3".into(), 5.into()]),
            Value::List(vec!["r".into(), "k4".into(), found]),
        ]);
        let response = answer(&format!(r#"[["append","k3",5],["r","k4",{value}]]"#)).unwrap();
        assert_eq!(response, Answer::Value(expected).into());
    }
    for value in [
        "5",
        "null",
        "[]",
        r#"[["append","k3",5]]"#,
        r#"[["append","k3",6],["r","k4",[]]]"#,
        r#"[["append","k3",5],["r","k5",[]]]"#,
        r#"[["append","k3",5],["r","k4"]]"#,
        r#"[["append","k3",5],["r","k4",1]]"#,
    ] {
        assert_eq!(answer(value).unwrap_err().kind, ShimProblemKind::WrongValue, "{value}");
    }
}

#[test]
fn a_revision_is_passed_on_for_registers_alone() {
    let line = br#"{"id":7,"type":"ok","value":5,"revision":12}"#;
    for (action, revision) in [(Action::Read, Some(12)), (Action::Write(5), Some(12)), (Action::Dequeue, None)] {
        assert_eq!(AnswerLine::parse(line).unwrap().answer(&request(action)).unwrap().revision, revision);
    }
}

#[test]
fn an_ok_that_does_not_fit_the_request_is_no_answer() {
    for (action, line, complaint) in [
        (Action::Read, r#"{"id":7,"type":"ok"}"#, "has no \"value\""),
        (Action::Dequeue, r#"{"id":7,"type":"ok"}"#, "has no \"value\""),
        (append_and_read(), r#"{"id":7,"type":"ok"}"#, "has no \"value\""),
        (Action::Elements, r#"{"id":7,"type":"ok","value":5}"#, "no list, value \"5\""),
        (Action::Count, r#"{"id":7,"type":"ok","value":"5"}"#, "no integer"),
        (Action::Send(5), r#"{"id":7,"type":"ok","value":[0,5]}"#, "the offset is no integer"),
        (Action::Poll(0), r#"{"id":7,"type":"ok","value":[5]}"#, "no list of pairs"),
        (Action::Insert, r#"{"id":7,"type":"ok","value":5}"#, "the row is no map"),
        (Action::Rows, r#"{"id":7,"type":"ok","value":[{"val":5}]}"#, "no list of rows"),
        (Action::AcquireWithToken, r#"{"id":7,"type":"ok"}"#, "has no \"value\""),
        (Action::Write(5), r#"{"id":7,"type":"ok","value":6}"#, "another value"),
        (Action::Increment(5), r#"{"id":7,"type":"ok","value":6}"#, "another value"),
        (CAS, r#"{"id":7,"type":"ok","value":5}"#, "another value"),
    ] {
        let failure = AnswerLine::parse(line.as_bytes()).unwrap().answer(&request(action)).unwrap_err();
        assert_eq!(failure.kind, ShimProblemKind::WrongValue, "{line}");
        assert!(failure.what.contains(complaint), "{}", failure.what);
    }
}

#[test]
fn a_line_of_anything_else_is_quoted() {
    for line in ["", "connected!", "[1,2]", r#"{"id":7}"#, r#"{"id":7,"type":"OK"}"#, r#"{"id":-1,"type":"ok"}"#] {
        let Err(failure) = AnswerLine::parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(failure.kind, ShimProblemKind::Unreadable, "{line}");
        assert!(failure.what.ends_with(&format!("{line:?}")), "{}", failure.what);
    }
}
