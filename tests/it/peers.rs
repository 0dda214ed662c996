//! Tests of `schism check` on histories as other tools write them.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Stdio,
};

use crate::support::{file, run, schism, stale_read};

const PER_CLIENT: &str = "{:process 0, :time 100, :type :invoke, :f :write, :value 1}
{:process 0, :time 200, :type :ok, :f :write, :value 1}
{:process 0, :time 500, :type :invoke, :f :write, :value 2}
{:process 0, :time 600, :type :ok, :f :write, :value 2}
{:process 1, :time 300, :type :invoke, :f :read, :value nil}
{:process 1, :time 400, :type :ok, :f :read, :value 1}
";

#[test]
fn standard_input_is_read_whether_it_is_a_file_or_a_pipe() {
    let (dir, path) = file(stale_read());
    let said = |input: Stdio| {
        let output = schism(dir.path()).args(["check", "-"]).stdin(input).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = said(File::open(&path).unwrap().into());
    assert!(code == Some(1) && out.starts_with("-: not linearizable"), "{out}");
    for text in [stale_read(), PER_CLIENT.to_owned()] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let sender = std::thread::spawn(move || writer.write_all(text.as_bytes()).unwrap());
        let (code, out) = said(reader.into());
        sender.join().unwrap();
        assert!(matches!(code, Some(0 | 1)) && out.contains("linearizable: "), "{out}");
    }
    let output = schism(dir.path()).args(["check", "-"]).stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(65) && err.contains("-: the file is empty"), "{err}");
}

#[test]
fn the_folder_of_a_run_stands_for_its_history() {
    let (dir, path) = file(stale_read());
    let folder = dir.path().join("run");
    fs::create_dir(&folder).unwrap();
    let ended = run(dir.path(), &["check", "run"]);
    assert!(ended.code == Some(65) && ended.err.contains("run: there is no history in this folder"), "{ended:?}");
    for name in ["history.columns", "history.edn.gz", "history.jsonl.zst", "history.jsonl"] {
        let to = folder.join(name);
        assert_eq!(run(dir.path(), &["convert", path.to_str().unwrap(), to.to_str().unwrap()]).code, Some(0), "{name}");
        let ended = run(dir.path(), &["check", "run"]);
        assert!(ended.code == Some(1) && ended.out.starts_with(&format!("run/{name}: not linearizable")), "{ended:?}");
    }
}

#[test]
fn what_the_file_does_not_say_is_said_with_the_verdict() {
    let completions = "{:type :ok, :value [[:append :x 1]]}\n{:type :ok, :value [[:r :x [1]]]}\n";
    let misspelt = stale_read().lines().take(4).map(|line| line.replace("time", "tyme") + "\n").collect::<String>();
    for (text, note) in [
        (PER_CLIENT, "the order of lines contradicts the times, in line 5 first"),
        (completions, "only completions are known"),
        (&misspelt, "the field `tyme` is unknown and was ignored, in 4 events: did you mean `time`?"),
    ] {
        let (dir, path) = file(text);
        let path = path.to_str().unwrap();
        let ended = run(dir.path(), &["check", path, path]);
        let below = format!("\n{path}: note: {note}");
        assert!(ended.code == Some(0) && ended.out.matches(&below).count() == 2, "{ended:?}");
        for form in ["edn", "jsonl"] {
            let ended = run(dir.path(), &["convert", path, "--to", form, "out"]);
            assert!(ended.code == Some(0) && ended.err.contains(&format!("{path}: note: {note}")), "{ended:?}");
        }
        let ended = run(dir.path(), &["check", path]);
        assert!(ended.code == Some(0) && ended.out.contains(&format!("note: {note}")), "{ended:?}");
        let ended = run(dir.path(), &["check", "--json", path]);
        let json: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert!(
            json[0]["notes"].as_array().unwrap().iter().any(|said| said.as_str().unwrap().starts_with(note)),
            "{ended:?}"
        );
    }
}

#[test]
fn what_is_converted_is_in_the_order_that_counts() {
    let (dir, path) = file(PER_CLIENT);
    for target in ["h.jsonl", "h.edn"] {
        assert_eq!(run(dir.path(), &["convert", path.to_str().unwrap(), target]).code, Some(0));
        let ended = run(dir.path(), &["check", target]);
        assert!(ended.code == Some(0) && !ended.out.contains("note: the order"), "{ended:?}");
    }
    let stale = PER_CLIENT.replace(":f :read, :value 1", ":f :read, :value nil");
    fs::write(&path, stale).unwrap();
    let ended = run(dir.path(), &["shrink", path.to_str().unwrap(), "-o", "small.jsonl"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let small = fs::read_to_string(dir.path().join("small.jsonl")).unwrap();
    assert_eq!(small.lines().count(), 4, "{small}");
    assert_eq!(run(dir.path(), &["check", "small.jsonl"]).code, Some(1), "{small}");
}
