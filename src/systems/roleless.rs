//! System for tests: our own node, of which nobody says who leads, with read modes of other names.

use std::borrow::Cow;

use workloads::Connector;

use super::{
    ClientSetup, Deployment, Guarantee, Ports, ReadModeDescription, StartCommand, Status, StatusPage, StatusRequest,
    System,
    schism::{self, Schism},
};

/// Name of the environment variable with the arguments of a node, one a line.
pub(crate) const ARGUMENTS: &str = "SCHISM_TEST_NODE";
/// Argument of a node's first start. The test binary takes it for the name of another test, of which there is none.
pub(crate) const FIRST: &str = "first-start";
/// Name of the test in whose process a node runs.
const NODE: &str = "cli::tests::a_test_binary_can_be_a_node";

/// A system whose nodes only say that they are up.
#[derive(Debug)]
pub(crate) struct Roleless;

static READ_MODES: [ReadModeDescription; 2] = [
    ReadModeDescription {
        name: Cow::Borrowed("fresh"),
        about: Cow::Borrowed("the last value"),
        guarantee: Guarantee::Linearizable,
    },
    ReadModeDescription {
        name: Cow::Borrowed("near"),
        about: Cow::Borrowed("some value"),
        guarantee: Guarantee::Weaker,
    },
];

impl System for Roleless {
    fn name(&self) -> &'static str {
        "roleless"
    }

    fn read_modes(&self) -> &'static [ReadModeDescription] {
        &READ_MODES
    }

    fn workloads(&self) -> &'static [&'static str] {
        &["register"]
    }

    fn ports(&self) -> Ports {
        Schism.ports()
    }

    /// Returns a command that starts this test binary again, to be the node: [`NODE`] is the one test that it runs.
    fn start_command(&self, id: u16, deployment: &Deployment) -> anyhow::Result<StartCommand> {
        let settings = Schism.settings(&Schism.default_read(), &super::Options::default(), false);
        let settings = settings.map_err(anyhow::Error::msg)?;
        let ours = Schism.start_command(id, &Deployment { settings, ..deployment.clone() })?;
        let lines: Vec<_> = ours.args.iter().map(|argument| argument.to_string_lossy()).collect();
        Ok(StartCommand {
            args: [NODE, "--exact", "--nocapture"].map(Into::into).into(),
            first_args: vec![FIRST.into()],
            env: vec![(ARGUMENTS.into(), lines.join("\n").into())],
            ..ours
        })
    }

    fn status_request(&self, id: u16, deployment: &Deployment) -> StatusRequest {
        Schism.status_request(id, deployment)
    }

    fn read_status(&self, page: &StatusPage) -> Option<Status> {
        page.body.starts_with(b"{").then(Status::default)
    }

    fn connector(&self, clients: &ClientSetup<'_>) -> anyhow::Result<Connector> {
        let read = if clients.read.name() == "fresh" { schism::QUORUM } else { schism::LOCAL };
        Ok(schism::connector(clients, read))
    }
}

mod tests {
    use super::{
        super::{System as _, is_ready, is_settled},
        Roleless, StatusPage,
    };

    #[test]
    fn a_cluster_without_roles_is_ready_and_settled_when_all_nodes_are_up() {
        let page = |body: &[u8]| StatusPage { status: 200, body: body.to_vec() };
        let up = Roleless.read_status(&page(b"{}"));
        assert!(up.is_some() && Roleless.read_status(&page(b"starting")).is_none());
        for is_reached in [is_ready, is_settled] {
            assert!(is_reached(Roleless.has_roles(), &[up.clone(), up.clone()]));
            assert!(!is_reached(Roleless.has_roles(), &[up.clone(), None]));
            assert!(!is_reached(true, &[up.clone(), up.clone()]), "nobody leads");
        }
        assert!(Roleless.read_log("anything").is_empty() && Roleless.trace_file().is_none());
    }
}
