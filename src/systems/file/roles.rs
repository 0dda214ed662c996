//! Roles of nodes whose system a file describes, by their answers.

use serde_json::Value as Json;
use workloads::Pointer;

use super::document::RolesTable;
use crate::systems::{RoleStatus, Status, StatusPage};

/// Answer of a node about its role.
struct Claim {
    leads: bool,
    /// Term; none if it does not say whose follower it is, nor in which term.
    term: Option<u64>,
    id: Option<String>,
    leader: Option<String>,
}

/// Returns the status of each node by its answer. The leader that a node names is looked for among the names that
/// nodes give themselves; where nodes do not say whom they follow, they follow the one that leads in the latest term,
/// or themselves if they lead. Logs of followers say no term either: it is that of this leader.
pub(super) fn read_statuses(table: &RolesTable, pages: &[Option<StatusPage>]) -> Vec<Option<Status>> {
    let claims: Vec<_> = pages.iter().map(|page| claim(table, page.as_ref()?)).collect();
    let numbered = || (1_u16..).zip(&claims).filter_map(|(number, claim)| Some((number, claim.as_ref()?)));
    let leading = numbered().filter(|(_, claim)| claim.leads).max_by_key(|(_, claim)| claim.term);
    let leader_of = |own: u16, claim: &Claim| match &claim.leader {
        Some(name) => numbered().find(|(_, other)| other.id.as_ref() == Some(name)).map(|(number, _)| number),
        None if claim.leads => Some(own),
        None if table.leader.is_none() => leading.map(|(number, _)| number),
        None => None,
    };
    let status = |own: u16, claim: &Claim| {
        let name = if claim.leads { "leader" } else { "follower" };
        let role = RoleStatus {
            name: name.to_owned(),
            leads: claim.leads,
            term: claim.term.or_else(|| leading.and_then(|(_, leading)| leading.term)).unwrap_or_default(),
            leader: leader_of(own, claim),
            applied: 0,
            commit: 0,
            members: None,
            members_change: false,
        };
        Status { role: Some(role), ..Status::default() }
    };
    (1..).zip(&claims).map(|(own, claim)| claim.as_ref().map(|claim| status(own, claim))).collect()
}

/// Returns what is probably wrong with the places and patterns that tell who leads, by the answer of a node that leads,
/// as it is the only one.
pub(super) fn doubts(table: &RolesTable, page: &StatusPage) -> Vec<String> {
    if let Some(lines) = &table.log {
        return match lines.term_led(&page.body) {
            None => vec!["no line of the log matches `roles.log.leads`, though the only node leads".to_owned()],
            Some(0) if lines.can_name_term() => {
                vec!["the group `term` of `roles.log.leads` is no whole number in the line that it matches".to_owned()]
            }
            Some(_) => Vec::new(),
        };
    }
    let Ok(body) = serde_json::from_slice::<Json>(&page.body) else { return Vec::new() };
    let mut doubts = Vec::new();
    for (field, place) in [("id", &table.id), ("leader", &table.leader), ("term", &table.term)] {
        let Some(place) = place else { continue };
        match place.find(&body) {
            None => doubts.push(format!("`roles.{field}` is {place}, where the answer has nothing")),
            Some(found) if field == "term" && term_of(found).is_none() => {
                doubts.push(format!("`roles.term` is {place}, where the answer has no whole number, but {found}"));
            }
            Some(_) => {}
        }
    }
    doubts
}

/// Returns a term as a status says it: a whole number or its text.
fn term_of(found: &Json) -> Option<u64> {
    match found {
        Json::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

fn claim(table: &RolesTable, page: &StatusPage) -> Option<Claim> {
    if let Some(lines) = &table.log {
        let term = lines.term_led(&page.body);
        return Some(Claim { leads: term.is_some(), term, id: None, leader: None });
    }
    let body: Json = serde_json::from_slice(&page.body).ok().filter(|_| (200..300).contains(&page.status))?;
    let text = |place: &Option<Pointer>| {
        place.as_ref().and_then(|place| place.find(&body)).map(|found| match found {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let (id, leader) = (text(&table.id), text(&table.leader));
    let leads = if table.leads.is_empty() {
        id.is_some() && id == leader
    } else {
        table.leads.iter().all(|(place, wanted)| place.find(&body) == Some(wanted))
    };
    let term = table.term.as_ref().and_then(|place| term_of(place.find(&body)?)).unwrap_or_default();
    Some(Claim { leads, term: Some(term), id, leader })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Role = Option<(bool, Option<u16>, u64)>;

    fn roles(table: &str, pages: &[Json]) -> Vec<Role> {
        of_bodies(table, pages.iter().map(|body| body.to_string().into_bytes()))
    }

    fn of_bodies(table: &str, bodies: impl Iterator<Item = Vec<u8>>) -> Vec<Role> {
        let table: RolesTable = toml::from_str(table).unwrap();
        let pages: Vec<_> = bodies.map(|body| Some(StatusPage { status: 200, body })).collect();
        let statuses = read_statuses(&table, &pages);
        let role = |status: &Status| status.role.as_ref().map(|role| (role.leads, role.leader, role.term));
        statuses.iter().map(|status| role(status.as_ref()?)).collect()
    }

    #[test]
    fn a_leader_is_found_by_the_names_that_nodes_give_themselves() {
        let table = "request = 'GET /s'\nid = '/header/id'\nleader = '/leader'\nterm = '/term'";
        let node = |id: &str, leader: &str| json!({"header": {"id": id}, "leader": leader, "term": "7"});
        assert_eq!(
            roles(table, &[node("11", "12"), node("12", "12"), json!({"header": {"id": "13"}, "term": "6"})]),
            [Some((false, Some(2), 7)), Some((true, Some(2), 7)), Some((false, None, 6))]
        );
    }

    #[test]
    fn where_followers_name_nobody_they_follow_the_one_that_leads_in_the_latest_term() {
        let table = "request = 'GET /s'\nleads = { '/role' = 'master' }\nterm = '/epoch'";
        let node = |role: &str, epoch: u64| json!({"role": role, "epoch": epoch});
        assert_eq!(
            roles(table, &[node("master", 3), node("slave", 4), node("master", 4)]),
            [Some((true, Some(1), 3)), Some((false, Some(3), 4)), Some((true, Some(3), 4))]
        );
        assert_eq!(roles(table, &[json!("nothing")]), [Some((false, None, 0))]);
    }

    #[test]
    fn places_and_patterns_that_find_nothing_are_named() {
        let doubts = |table: &str, body: &str| {
            doubts(&toml::from_str(table).unwrap(), &StatusPage { status: 200, body: body.as_bytes().to_vec() })
        };
        let table = "request = 'GET /s'\nid = '/header/id'\nleader = '/leader'\nterm = '/term'";
        assert_eq!(doubts(table, r#"{"header":{"id":1},"leader":1,"term":"7"}"#), Vec::<String>::new());
        let said = doubts(table, r#"{"id":1,"leader":1,"term":"seven"}"#);
        assert_eq!(
            said,
            [
                "`roles.id` is \"/header/id\", where the answer has nothing",
                "`roles.term` is \"/term\", where the answer has no whole number, but \"seven\"",
            ]
        );
        let table = r"log = { leads = 'leads(?: term (?<term>\w+))?$', follows = 'follows' }";
        assert_eq!(doubts(table, "leads term 3"), Vec::<String>::new());
        for (body, said) in [("", "no line of the log matches"), ("leads term x", "the group `term`")] {
            assert!(doubts(table, body)[0].contains(said), "{body}");
        }
    }

    #[test]
    fn the_last_line_about_a_role_says_whether_a_node_leads() {
        let table = r"log = { leads = 'leads(?: term (?<term>\d+))?$', follows = 'follows' }";
        let said = |lines: &[&str]| of_bodies(table, lines.iter().map(|line| line.as_bytes().to_vec()));
        assert_eq!(
            said(&["n1 leads term 3", "n2 follows", "", "n4 leads term 2"]),
            [Some((true, Some(1), 3)), Some((false, Some(1), 3)), Some((false, Some(1), 3)), Some((true, Some(4), 2))]
        );
        assert_eq!(said(&["", "n2 leads"]), [Some((false, Some(2), 0)), Some((true, Some(2), 0))]);
    }
}
