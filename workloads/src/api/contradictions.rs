//! Rules that cannot mean what they say: fields without a meaning, conditions that no answer or every answer meets, and
//! rules that never get their turn.

use serde_json::Value as Json;

use super::rule::{Outcome, Pattern, Rule};
use crate::Action;

/// Checks the rules for answers to an operation.
///
/// # Errors
/// Names the first rule that cannot be meant, and why.
pub(super) fn check(rules: &[Rule], action: &Action) -> Result<(), String> {
    for (number, rule) in (1..).zip(rules) {
        let problem = problem_of_value(rule, action).or_else(|| problem_of_conditions(rule));
        if let Some(why) = problem {
            return Err(format!("rule {number} {why}"));
        }
        let before = (1..number).zip(rules).find(|(_, earlier)| earlier.covers(rule));
        if let Some((earlier, _)) = before {
            return Err(format!("rule {number} never decides: rule {earlier} applies to all of its answers"));
        }
    }
    Ok(())
}

/// Returns what is wrong with what a rule says of the answers that it applies to, if anything.
fn problem_of_value(rule: &Rule, action: &Action) -> Option<String> {
    let Rule { outcome, value, each, or_nil, revision, decode, matches, .. } = rule;
    let is_cas = matches!(action, Action::Cas { .. });
    let has_value = match outcome {
        Outcome::Ok => action.returns_value() || matches!(action, Action::Acquire),
        Outcome::Mismatch => is_cas,
        Outcome::Fail | Outcome::Info => false,
    };
    let details = [("each", each.is_some()), ("or_nil", *or_nil), ("decode", !decode.is_empty())];
    let detail = details.into_iter().find_map(|(name, is_there)| is_there.then_some(name));
    let field = value.as_ref().map(|_| "value").or(detail);
    if *outcome == Outcome::Ok && action.returns_value() && !rule.names_value() {
        return Some("says `ok` without a `value`, such as value = \"/value\"".to_owned());
    }
    if *outcome == Outcome::Mismatch && !is_cas && !action.is_of_lock() {
        return Some("says `mismatch`, which only cas, acquire and release can".to_owned());
    }
    if revision.is_some() && (!action.is_of_register() || matches!(outcome, Outcome::Fail | Outcome::Info)) {
        return Some("names a `revision`, which only registers have that were read or changed".to_owned());
    }
    if let Some(field) = field.filter(|_| !has_value) {
        return Some(format!("has `{field}`, but this outcome of this operation has no value; leave it out"));
    }
    if value.is_some() && matches.as_ref().is_some_and(Pattern::has_value) {
        return Some("finds the value by `value` and by a group of `matches`; leave one out".to_owned());
    }
    if let Some(field) = detail.filter(|_| !rule.names_value()) {
        return Some(format!("has `{field}`, but no `value` that it is about"));
    }
    (each.is_some() && *action != Action::Elements)
        .then(|| "has `each`, which is for the list that `elements` returns".to_owned())
}

/// Returns what is wrong with the conditions of a rule, if anything.
fn problem_of_conditions(rule: &Rule) -> Option<String> {
    if rule.contains.as_ref().is_some_and(String::is_empty) {
        return Some("has an empty `contains`, which is in every answer".to_owned());
    }
    if let Some(place) = rule.equal.iter().find_map(|(place, wanted)| is_date(wanted).then_some(place)) {
        return Some(format!("wants a date at {place}, which JSON has not; write it as text, in quotes"));
    }
    let value = rule.value.as_ref().filter(|_| !rule.or_nil).map(|place| ("value", place));
    let wanted = rule.equal.keys().map(|place| ("where", place)).chain(value);
    wanted.chain(rule.absent.iter().filter(|place| place.is_root()).map(|place| ("absent", place))).find_map(
        |(field, place)| match rule.absent.iter().find(|absent| absent.encloses(place)) {
            Some(absent) if absent.is_root() => {
                Some("has an `absent` without a name, which is the whole body, and always there".to_owned())
            }
            Some(absent) => {
                Some(format!("wants nothing at {absent} by `absent`, and something at {place} by `{field}`"))
            }
            None => None,
        },
    )
}

/// Returns true for a date of TOML, as no value of JSON is one.
fn is_date(value: &Json) -> bool {
    value.as_object().is_some_and(|fields| fields.keys().any(|name| name.starts_with("$__toml_private")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(rules: Json, action: &Action) -> Result<(), String> {
        check(&serde_json::from_value::<Vec<Rule>>(rules).unwrap(), action)
    }

    #[test]
    fn what_has_no_meaning_or_contradicts_itself_is_refused_with_the_reason() {
        let (read, write, cas) = (Action::Read, Action::Write(1), Action::Cas { from: 1, to: 2 });
        for (rule, action, why) in [
            (json!({"status": 404, "outcome": "fail", "value": "/v"}), &read, "has `value`, but this outcome"),
            (json!({"status": 200, "outcome": "ok", "value": "/v"}), &write, "has `value`, but this outcome"),
            (json!({"status": 200, "outcome": "ok", "or_nil": true}), &write, "has `or_nil`, but this outcome"),
            (
                json!({"status": 409, "outcome": "mismatch", "decode": ["integer"]}),
                &cas,
                "has `decode`, but no `value`",
            ),
            (json!({"outcome": "ok", "value": "/v", "each": "/x"}), &read, "which is for the list"),
            (json!({"outcome": "fail", "revision": "/r"}), &read, "names a `revision`"),
            (json!({"outcome": "ok", "value": "/v", "contains": ""}), &read, "empty `contains`"),
            (json!({"outcome": "ok", "value": "/v", "absent": [""]}), &read, "the whole body"),
            (json!({"outcome": "ok", "value": "/v/x", "absent": ["/v"]}), &read, "wants nothing at \"/v\" by `absent`"),
            (json!({"outcome": "info", "where": {"/a": 1}, "absent": ["/a"]}), &read, "at \"/a\" by `where`"),
            (json!({"outcome": "info", "where": {"/a": {"$__toml_private_datetime": "1979"}}}), &read, "a date at"),
        ] {
            let refused = said(json!([rule]), action).unwrap_err();
            assert!(refused.starts_with("rule 1 ") && refused.contains(why), "{rule}: {refused}");
        }
        let nil = json!([{"outcome": "ok", "value": "/v", "or_nil": true, "absent": ["/v"]}]);
        assert_eq!(said(nil, &read), Ok(()));
        let beside = json!([{"outcome": "ok", "value": "/value", "absent": ["/v"]}]);
        assert_eq!(said(beside, &read), Ok(()), "a name is no part of another");
    }

    #[test]
    fn a_rule_that_never_gets_its_turn_is_refused() {
        let write = Action::Write(1);
        for (first, second, is_covered) in [
            (json!({"outcome": "ok"}), json!({"status": 500, "outcome": "info"}), true),
            (json!({"status": "2xx", "outcome": "ok"}), json!({"status": [200, 204], "outcome": "info"}), true),
            (json!({"status": 200, "outcome": "ok"}), json!({"status": "2xx", "outcome": "info"}), false),
            (json!({"status": 200, "outcome": "ok"}), json!({"outcome": "info"}), false),
            (
                json!({"where": {"/a": 1}, "outcome": "ok"}),
                json!({"where": {"/a": 1, "/b": 2}, "outcome": "info"}),
                true,
            ),
            (json!({"where": {"/a": 1}, "outcome": "ok"}), json!({"where": {"/a": 2}, "outcome": "info"}), false),
            (json!({"absent": ["/a"], "outcome": "ok"}), json!({"absent": ["/b"], "outcome": "info"}), false),
            (json!({"contains": "no", "outcome": "ok"}), json!({"contains": "not", "outcome": "info"}), true),
            (json!({"matches": "a+", "outcome": "ok"}), json!({"matches": "a+", "outcome": "info"}), true),
            (json!({"matches": "a+", "outcome": "ok"}), json!({"matches": "a", "outcome": "info"}), false),
        ] {
            let found = said(json!([first, second]), &write);
            assert_eq!(found.is_err(), is_covered, "{first} {second}: {found:?}");
        }
    }
}
