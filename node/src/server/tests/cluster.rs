//! Cluster of nodes of this process, and requests to it.

use super::*;

/// Cluster of nodes, some of which run at the moment.
pub(super) struct Cluster {
    pub(super) configs: BTreeMap<u64, Config>,
    pub(super) nodes: BTreeMap<u64, Handle>,
    pub(super) logs: BTreeMap<u64, CapturedLog>,
    pub(super) client: reqwest::Client,
    pub(super) runtime: Runtime,
    _dir: TempDir,
}

impl Cluster {
    /// Creates a cluster of `size` nodes, none of which runs yet, on loopback addresses that no other cluster on the
    /// machine uses.
    pub(super) fn new(size: u64, adjust: impl Fn(&mut Config)) -> Self {
        static CLUSTERS: AtomicU8 = AtomicU8::new(0);
        let cluster = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = |id: u64| Ipv4Addr::new(127, 64 | (high & 63), low, cluster * 8 + u8::try_from(id).unwrap());
        let address = |id, port| SocketAddr::from((ip(id), port));
        let dir = tempdir().unwrap();
        let peers: BTreeMap<_, _> = (1..=size).map(|id| (NodeId(id), address(id, 7000))).collect();
        let configs = (1..=size).map(|id| {
            let data_dir = dir.path().join(format!("n{id}"));
            let mut config = Config::new(NodeId(id), peers.clone(), address(id, 8000), data_dir);
            config.init = true;
            // A machine that is busy with other tests must not look like a lost leader.
            config.election_timeout = Duration::from_secs(1);
            adjust(&mut config);
            (id, config)
        });
        Self {
            configs: configs.collect(),
            nodes: BTreeMap::new(),
            logs: (1..=size).map(|id| (id, CapturedLog::default())).collect(),
            // No connection is kept alive: one from before a restart would fail the first request after it.
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(LIMIT).build().unwrap(),
            runtime: runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            _dir: dir,
        }
    }

    /// Starts a cluster and returns it with its leader.
    pub(super) fn running(size: u64, adjust: impl Fn(&mut Config)) -> (Self, u64) {
        let mut cluster = Self::new(size, adjust);
        (1..=size).for_each(|id| cluster.start(id));
        let leader = cluster.leader();
        (cluster, leader)
    }

    pub(super) fn start(&mut self, id: u64) {
        let log = Log::to(NodeId(id), self.logs[&id].clone());
        self.nodes.insert(id, start_with(&self.configs[&id], &log).unwrap());
        self.configs.get_mut(&id).unwrap().init = false; // the next start is none of a new node
    }

    /// Starts a node that joins later, and returns its address for peers.
    pub(super) fn join(&mut self, id: u64) -> SocketAddr {
        let first = self.configs[&1].clone();
        let IpAddr::V4(ip) = first.client_addr.ip() else { panic!("an address of version 4") };
        let ip = Ipv4Addr::from(u32::from(ip) - 1 + u32::try_from(id).unwrap());
        let address = SocketAddr::from((ip, 7000));
        let data_dir = first.data_dir.with_file_name(format!("n{id}"));
        let client_addr = SocketAddr::from((ip, 8000));
        let config = Config { id: NodeId(id), join: Some(address), client_addr, data_dir, init: true, ..first };
        self.configs.insert(id, config);
        self.logs.insert(id, CapturedLog::default());
        self.start(id);
        address
    }

    /// Asks a node for a change of the members, and waits until it is complete with these voters.
    pub(super) fn change(&self, id: u64, change: &Value, voters: &[u64]) {
        let (status, body) = self.call(id, reqwest::Method::POST, "/v1/members", &change.to_string());
        assert_eq!(status, 200, "{change}: {body}");
        poll("a complete change", || {
            let members = self.call(id, reqwest::Method::GET, "/v1/members", "").1;
            members["is_complete"] == true && members["voters"] == json!(voters)
        });
    }

    pub(super) fn stop(&mut self, id: u64) {
        self.nodes.remove(&id).unwrap().stop().unwrap();
    }

    pub(super) fn events(&self, id: u64) -> Vec<LogLine> {
        self.logs[&id].lines()
    }

    pub(super) fn call(&self, id: u64, method: reqwest::Method, path: &str, body: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.nodes[&id].client_addr());
        self.runtime.block_on(async {
            let response = self.client.request(method, url).body(body.to_owned()).send().await.unwrap();
            (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
        })
    }

    pub(super) fn read(&self, id: u64, key: &str, mode: &str) -> (u16, Value) {
        self.call(id, reqwest::Method::GET, &format!("/v1/kv/{key}?read={mode}"), "")
    }

    pub(super) fn put(&self, id: u64, key: &str, body: &Value) -> (u16, Value) {
        self.call(id, reqwest::Method::PUT, &format!("/v1/kv/{key}"), &body.to_string())
    }

    pub(super) fn cas(&self, id: u64, key: &str, body: &Value) -> (u16, Value) {
        self.call(id, reqwest::Method::POST, &format!("/v1/kv/{key}/cas"), &body.to_string())
    }

    pub(super) fn status(&self, id: u64) -> Value {
        self.call(id, reqwest::Method::GET, "/v1/status", "").1
    }

    /// Returns the leader, once every running node agrees on it and has applied something.
    pub(super) fn leader(&self) -> u64 {
        let mut leader = None;
        poll("a leader that all know", || {
            let statuses: Vec<_> = self.nodes.keys().map(|id| self.status(*id)).collect();
            leader = statuses[0]["leader"].as_u64();
            let agreed = statuses.iter().all(|it| it["leader"] == statuses[0]["leader"] && it["applied"] != 0);
            leader.is_some_and(|it| self.nodes.contains_key(&it)) && agreed
        });
        leader.unwrap()
    }
}
