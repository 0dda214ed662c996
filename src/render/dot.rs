//! Anomalies of transactions as graphs in Graphviz's language DOT.

use checker::Anomaly;
use histories::History;

use super::{
    operations::{actor_in_words, micro_operations_in_words},
    transactions::label,
};
use crate::terminal::sanitize;

/// Returns a graph of an anomaly: its transactions with their operations, and for each reason why one must come before
/// another an edge with that sentence as its tooltip.
pub(crate) fn graph(history: &History, anomaly: &Anomaly) -> String {
    let mut text = format!(
        "digraph {} {{\n  label={};\n  node [shape=box, fontname=monospace];\n",
        quoted(&anomaly.name),
        quoted(&anomaly.claim)
    );
    let name = |operation: usize| {
        let place = anomaly.operations.iter().position(|index| *index == operation);
        place.map_or_else(|| format!("operation {operation}"), |place| format!("T{}", place + 1))
    };
    for &index in &anomaly.operations {
        let mut lines = vec![format!("{}  {}", name(index), actor_in_words(history, index))];
        lines.extend(micro_operations_in_words(history, index));
        // `\l` ends a line that begins at the left.
        let lines: String = lines.iter().map(|line| escaped(line) + "\\l").collect();
        text += &format!("  {} [label=\"{lines}\"];\n", quoted(&name(index)));
    }
    for link in &anomaly.links {
        let [from, to] = [link.from, link.to].map(|index| quoted(&name(index)));
        let (label, tooltip) = (quoted(&label(history, link)), quoted(&link.sentence));
        text += &format!("  {from} -> {to} [label={label}, tooltip={tooltip}];\n");
    }
    text + "}\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    sanitize::line(text).replace('\\', "\\\\").replace('"', "\\\"")
}
