//! Names that a request may be addressed to. A foreign page can make its own name resolve to our address (DNS
//! rebinding), and could then read the store: only requests for our own names are answered.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Names of an address that is listened at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    address: SocketAddr,
}

impl Names {
    pub(super) fn of(address: SocketAddr) -> Self {
        Self { address }
    }

    fn has(self, authority: &Authority) -> bool {
        const HTTP_PORT: u16 = 80;
        let own = self.address.ip();
        let is_here = own.is_loopback() || own.is_unspecified();
        if authority.as_str().contains('@') || authority.port_u16().unwrap_or(HTTP_PORT) != self.address.port() {
            return false;
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match host.parse::<IpAddr>() {
            // Nobody else can let an address mean another one.
            Ok(named) => named == own || own.is_unspecified() || own.is_loopback() && is_usual(named),
            Err(_) => is_here && host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Returns true if a request is addressed to us in every respect.
    fn accept(self, request: &Request) -> bool {
        let mut said = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (said.next(), said.next()) else { return false };
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        host.is_some_and(|host| self.has(&host)) && request.uri().authority().is_none_or(|named| self.has(named))
    }
}

fn is_usual(named: IpAddr) -> bool {
    [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])].contains(&named)
}

/// Answers only requests that are addressed to us.
pub(super) async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    if names.accept(&request) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "request for another host").into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, extract::Request};

    use super::Names;

    fn means(listen: &str, hosts: &[&str], uri: &str) -> bool {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header("Host", *host);
        }
        Names::of(listen.parse().unwrap()).accept(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let local = "127.0.0.1:8090";
        for host in ["127.0.0.1:8090", "localhost:8090", "LOCALHOST:8090", "[::1]:8090"] {
            assert!(means(local, &[host], "/"), "{host}");
        }
        for host in [
            "evil.example:8090",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:80",
            "127.0.0.1.evil.example:8090",
            "localhost.evil.example:8090",
            "x@127.0.0.1:8090",
            "192.168.1.1:8090",
            "0.0.0.0:8090",
            "127.0.0.1:8090.evil.example",
            "",
            "2130706433:8090",
            "[::ffff:7f00:1]:8090",
        ] {
            assert!(!means(local, &[host], "/"), "{host}");
        }
        assert!(!means(local, &[], "/") && !means(local, &["localhost:8090", "localhost:8090"], "/"));
        assert!(
            !means(local, &["localhost:8090"], "http://evil.example/")
                && means(local, &["localhost:8090"], "http://localhost:8090/")
        );
        assert!(means("127.0.0.1:80", &["localhost"], "/"));
        assert!(means("192.168.1.5:80", &["192.168.1.5"], "/") && !means("192.168.1.5:80", &["localhost"], "/"));
        for host in ["10.1.2.3:8090", "[fe80::1]:8090", "localhost:8090"] {
            assert!(means("0.0.0.0:8090", &[host], "/"), "{host}");
        }
        assert!(!means("0.0.0.0:8090", &["evil.example:8090"], "/"));
    }
}
