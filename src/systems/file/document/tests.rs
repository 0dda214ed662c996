//! Tests of the text of system files: a wrong one says what is wrong, and what is allowed.

use super::parse;

const GOOD: &str = include_str!("../../../../examples/store/store.toml");

#[test]
fn a_wrong_file_says_line_field_and_what_is_allowed() {
    assert_eq!(parse(GOOD).map(drop), Ok(()));
    for (right, wrong, said) in [
        ("name = \"store\"", "label = \"store\"", "line 6: unknown field `label`, expected one of `name`, `install`"),
        ("name = \"store\"", "name = \"My Store\"", "line 6: a name has up to 40 small letters"),
        ("name = \"store\"", "name = store", "line 6: "),
        ("kind = \"http\"", "kind = \"carrier-pigeon\"", "unknown variant `carrier-pigeon`, expected `http` or `shim`"),
        ("\"{client_port}\"", "\"{port}\"", "there is no placeholder {port} here; there are: {node}, {nodes}, {ip}"),
        ("GET /{key}", "GET /{kye}", "there is no placeholder {kye} here; there are: {key}, {value}"),
        ("GET /{key}", "fetch", "is no method and path, such as \"GET /keys/{key}\""),
        ("guarantee = \"linearizable\"", "guarantee = \"good\"", "expected one of `linearizable`, "),
        ("[[read_modes]]", "[[read_mode]]", "unknown field `read_mode`"),
        ("[[read_modes]]", "[timing]\nsettle_ms = 1_000_000\n[[read_modes]]", "a time is at most 600000 ms"),
        ("GET /\"", "GET /{key}\"", "there is no placeholder {key} here"),
        (
            "[node]",
            "[node]\nstop = \"SIGKILL\"",
            "line 12: invalid value: string \"SIGKILL\", expected a signal, SIGTERM, ",
        ),
        ("[node]", "[node]\nstop = [\"{x}\"]", "line 12: there is no placeholder {x} here"),
        ("[node]", "[node]\nfiles = [{ path = \"/etc/../a\", text = \"\" }]", "line 12: \"/etc/../a\" is empty or has"),
        ("[node]", "[node]\nfiles = [{ path = \"/a/\", text = \"\" }]", "within the node's folder, or \"/etc/hosts\""),
        (
            "[node]",
            "[node]\nprepare_once = [\"sh\", \"{node}\"]",
            "line 12: there is no placeholder {node} here; there are: {data_dir}, {here}",
        ),
        ("request = \"GET /\"\nstatus = 200", "log = '(up'", "line 17: \"(up\" is no regular expression"),
        ("[ready]", "[roles]\nlog = { leads = 'a' }\n[ready]", "line 17: missing field `follows`"),
    ] {
        let text = GOOD.replacen(right, wrong, 1);
        assert_ne!(text, GOOD, "{right}");
        let refused = parse(&text).unwrap_err();
        assert!(refused.contains(said), "{refused}");
        assert!(refused.starts_with("line "), "{refused}");
    }
}

#[test]
fn fields_that_make_no_sense_together_are_refused_by_name() {
    let by_log = |more: &str| format!("[roles]\n{more}\nlog = {{ leads = 'a', follows = 'b' }}\n[ready]");
    let with_files = |files: &str| format!("[node]\nfiles = [{files}]");
    for (right, wrong, said) in [
        ("command = [\"python3\"", "command = [\"{data_dir}\"", "no placeholder {data_dir}; it has: {here}"),
        ("request = \"GET /\"\n", "", "it needs `ready.request`"),
        ("client = 8000", "client = 8000\npeer = 8000", "`ports` are different ports"),
        ("[node]", "[node]\nprepare_once = []", "`node.prepare_once` is empty; it begins with a program"),
        ("[node]", "[node]\nstop = []", "`node.stop` is empty; it begins with a program"),
        ("[ready]", "[ready]\ncommand = []", "`ready.command` is empty; it begins with a program"),
        ("[ready]", "[ready]\ncommand = [\"sh\"]", "`ready` has one of `request`, `command` and `log`"),
        ("[ready]", "[roles]\ncommand = [\"sh\"]\nbody = \"\"\n[ready]", "it needs `roles.request`"),
        ("[ready]", "[roles]\ncommand = [\"sh\"]\nleads = { \"/a\" = 1 }\n[ready]", "leave `ready` out"),
        ("[ready]", "[ready]\nlog = 'up'", "`ready` has one of `request`, `command` and `log`"),
        ("[ready]", &by_log("term = '/t'"), "leave `leads`, `id`, `leader` and `term` out"),
        ("[ready]", &by_log(""), "with `roles.log`, a node is up by `ready.log`, or once its client port is open"),
        ("[ready]", "[roles]\nleads = {}\n[ready]", "`roles` has one of `request`, `command` and `log`"),
        ("[[read_modes]]", "[timing]\nprobe_ms = 1\n[[read_modes]]", "`timing.probe_ms` is at least 10, not 1"),
        ("[[read_modes]]", "[timing]\nfault_ms = 0\n[[read_modes]]", "`timing.fault_ms` is at least 1000, not 0"),
        ("[[read_modes]]", "[timing]\nready_within_ms = 0\n[[read_modes]]", "`timing.ready_within_ms` is at least 100"),
        ("[ports]", "most_nodes = 0\n[ports]", "`most_nodes` is at least 1, not 0"),
        ("command = [\"python3\"", "command = [\"\"", "`node.command` begins with an empty text"),
        ("[node]", "[node]\nenv = { \"A=B\" = \"x\" }", "\"A=B\" is no name of a variable"),
        (
            "[node]",
            &with_files("{ path = 'a', text = 'x' }, { path = 'a', text = 'y' }"),
            "`node.files` has \"a\" twice",
        ),
        ("[node]", &with_files("{ path = 'node.log', text = 'x' }"), "where schism itself keeps something"),
        (
            "[node]",
            &with_files("{ path = 'a', text = 'x', separator = ';' }"),
            "but no {peers} or {others} in its `text`",
        ),
        (
            "[client]",
            "[read_modes.read]\nbody = \"{value}\"\n[client]",
            "the read mode \"read\": `client.read`: it has no",
        ),
        ("[client]", "[read_modes.peek]\n[client]", "the read mode \"read\": there is no `client.peek`"),
    ] {
        let refused = parse(&GOOD.replacen(right, wrong, 1)).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
}
