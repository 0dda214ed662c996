//! Shim for registers over the HTTP API of schism's own node (docs/reference/node.md), with the standard library alone:
//! `rustc --edition 2024 -O examples/shims/register.rs`. The protocol is described in docs/reference/shims.md; a real
//! shim would take crates for JSON and HTTP.

use std::{
    env,
    io::{self, BufRead, BufReader, ErrorKind::NotFound, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

fn main() -> io::Result<()> {
    let address = env::var("SCHISM_ADDRESS").expect("schism sets it");
    let timeout_ms: u64 =
        env::var("SCHISM_TIMEOUT_MS").ok().and_then(|text| text.parse().ok()).expect("schism sets it");
    // Connecting and asking together take less than schism waits for, so that it is told rather than left to guess.
    let timeout = Duration::from_millis((timeout_ms * 9 / 20).max(1));
    println!(r#"{{"type":"ready"}}"#);
    for line in io::stdin().lines() {
        let line = line?;
        let id = field(&line, "id").unwrap_or("null");
        println!(r#"{{"id":{id},{}}}"#, ask(&line, &address, timeout));
    }
    Ok(())
}

/// Returns the end of an operation, as fields of the answer.
fn ask(line: &str, address: &str, timeout: Duration) -> String {
    let text = |name| field(line, name).unwrap_or_default().trim_matches('"');
    let (f, value) = (text("f"), text("value"));
    let path = format!("/v1/kv/{}", text("key"));
    let (method, path, body) = match (f, value.trim_matches(['[', ']']).split_once(',')) {
        ("read", _) => ("GET", format!("{path}?read={}", text("read")), String::new()),
        ("write", _) => ("PUT", path, format!(r#"{{"value":{value}}}"#)),
        ("cas", Some((from, to))) => ("POST", format!("{path}/cas"), format!(r#"{{"from":{from},"to":{to}}}"#)),
        _ => return format!(r#""type":"fail","error":"this shim knows no {f}""#),
    };
    let connect = |address| TcpStream::connect_timeout(&address, timeout);
    let Ok(stream) = address.to_socket_addrs().and_then(|mut found| connect(found.next().ok_or(NotFound)?)) else {
        return r#""type":"fail","error":"no connection""#.to_owned(); // Nothing has been sent.
    };
    let answer = match exchange(stream, &format!("{method} {path}"), &body, timeout) {
        Ok(answer) => answer,
        // It may have happened, and may yet.
        Err(error) => return format!(r#""type":"info","error":"{:?}""#, error.kind()),
    };
    match (f, field(&answer, "happened"), field(&answer, "error")) {
        (_, Some(r#""no""#), _) => r#""type":"fail","error":"refused""#.to_owned(),
        (_, _, Some(_)) => r#""type":"info","error":"it may have happened""#.to_owned(),
        ("read", ..) => format!(r#""type":"ok","value":{}"#, field(&answer, "value").unwrap_or("null")),
        ("cas", ..) if field(&answer, "swapped") != Some("true") => {
            format!(r#""type":"fail","value":{}"#, field(&answer, "observed").unwrap_or("null"))
        }
        _ => r#""type":"ok""#.to_owned(),
    }
}

/// Sends a request over HTTP, and returns the body of the answer.
fn exchange(mut stream: TcpStream, request: &str, body: &str, timeout: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = body.len();
    write!(stream, "{request} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")?;
    let mut reader = BufReader::new(stream);
    let mut length = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    reader.read_exact(&mut body)?;
    String::from_utf8(body).map_err(io::Error::other)
}

/// Returns a field of an object in JSON as it is written: a number, a name, a text in quotes, or a list without lists.
fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = object.split_once(&format!("\"{name}\":"))?;
    let end = match rest.as_bytes().first()? {
        b'[' => rest.find(']')? + 1,
        b'"' => rest[1..].find('"')? + 2,
        _ => rest.find([',', '}'])?,
    };
    Some(&rest[..end])
}
