//! Arguments of a server: names and values.

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// Arguments, each a name and a value.
#[derive(Debug)]
pub struct Arguments(BTreeMap<String, String>);

/// Place of a server in its cluster: `--id N --peers ADDRESS,ADDRESS,… --client ADDRESS --data FOLDER`, with the
/// addresses of all nodes in the order of their ids, from 1.
#[derive(Debug)]
pub struct Members {
    pub id: u64,
    pub addresses: BTreeMap<u64, SocketAddr>,
    pub client: SocketAddr,
    data: PathBuf,
}

impl Arguments {
    /// Reads the arguments of this process.
    pub fn read() -> anyhow::Result<Self> {
        let all: Vec<String> = env::args().skip(1).collect();
        let pair = |pair: &[String]| match pair {
            [name, value] if name.starts_with("--") => Ok((name[2..].to_owned(), value.clone())),
            other => bail!("not an argument and its value: {}", other.join(" ")),
        };
        Ok(Self(all.chunks(2).map(pair).collect::<Result<_, _>>()?))
    }

    /// Takes the value of an argument, if it is there.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes the arguments that every server has.
    pub fn take_members(&mut self) -> anyhow::Result<Members> {
        let mut need = |name: &str| self.take(name).with_context(|| format!("--{name} is missing"));
        let id = need("id")?.parse()?;
        let addresses: Vec<SocketAddr> = need("peers")?.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let addresses: BTreeMap<u64, SocketAddr> = (1..).zip(addresses).collect();
        if !addresses.contains_key(&id) {
            bail!("--id is not that of a peer");
        }
        Ok(Members { id, addresses, client: need("client")?.parse()?, data: need("data")?.into() })
    }

    /// Checks that all arguments were taken.
    pub fn end(self) -> anyhow::Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(unknown) => bail!("there is no argument --{unknown}"),
        }
    }
}

impl Members {
    /// Returns the address at which this node listens for its peers.
    #[must_use]
    pub fn own(&self) -> SocketAddr {
        self.addresses[&self.id]
    }

    /// Returns the addresses of all nodes but this one.
    #[must_use]
    pub fn others(&self) -> BTreeMap<u64, SocketAddr> {
        self.addresses.iter().filter(|(id, _)| **id != self.id).map(|(id, address)| (*id, *address)).collect()
    }

    /// Returns the folder for the node's log.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }
}
