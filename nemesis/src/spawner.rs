//! The thread that starts all processes of nodes.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;

/// Thread that starts processes and lives as long as this value: the parent death signal that each process asks for
/// is sent when the *thread* that started it ends, not the process.
#[derive(Debug)]
pub(crate) struct Spawner(mpsc::Sender<Job>);

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

impl Spawner {
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name("spawner".into()).spawn(move || {
            for (mut command, reply) in jobs {
                // The caller waits for the answer.
                reply.send(command.spawn()).ok();
            }
        })?;
        Ok(Self(sender))
    }

    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.0.send((command, reply)).map_err(io::Error::other)?;
        answer.recv().map_err(io::Error::other)?
    }
}
