//! Planted defects of the loop: each test shows the broken rule with the defect, and that it holds without.

use super::*;

#[test]
fn a_node_with_a_defect_says_so() {
    let dir = tempdir().unwrap();
    let mut bench = Bench::with_defect(dir.path(), Some(Defect::ForwardsTwice));
    let named = |line: crate::event::LogLine| match line.event {
        Event::DefectPlanted { name, .. } => Some(name),
        _ => None,
    };
    assert_eq!(bench.told.lines().into_iter().find_map(named).as_deref(), Some("forwards-twice"));
    let now = bench.node.clock.now();
    assert_eq!(bench.node.report(now).defect, Some("forwards-twice"));
}

#[test]
fn a_request_that_is_forwarded_twice() {
    assert!(Defect::ForwardsTwice.is_shown_by(|defect| {
        let dir = tempdir().unwrap();
        let mut bench = Bench::with_defect(dir.path(), defect);
        bench.append(2, 1, vec![], 0);
        let _answers = [1, 2].map(|value| bench.ask(Request::Write(put(value))));
        let forwarded = |frame| match frame {
            Frame::Forward { request, .. } => Some(request),
            _ => None,
        };
        bench.hear(2, forwarded) == bench.hear(2, forwarded)
    }));
}

#[test]
fn a_read_through_the_log_without_an_entry() {
    assert!(Defect::LogReadSkipsLog.is_shown_by(|defect| {
        let dir = tempdir().unwrap();
        let mut bench = Bench::with_defect(dir.path(), defect);
        bench.elect();
        let read = Request::Read { query: Query::Value("k".into()), mode: ReadMode::Log };
        bench.ask(read).try_recv().is_ok()
    }));
}

#[test]
fn the_same_ids_after_a_restart() {
    assert!(Defect::IdsFromZero.is_shown_by(|defect| {
        let first = || {
            let dir = tempdir().unwrap();
            Bench::with_defect(dir.path(), defect).node.next_id
        };
        first() == first()
    }));
}
