//! Objects that consist of independent parts: each part is ordered on its own (linearizability is local: Herlihy and
//! Wing 1990, theorem 1), and the orders are merged here.

use histories::History;

/// Merges linearizations of the parts of an object (indexes of operations) into one linearization of the whole.
///
/// The linearization point of each operation is the last start among the operations of its part up to and including
/// itself. That is no later than its own end, because the order of its part is a linearization. If an operation of
/// another part ended before it began, the linearization point of that one comes first.
pub(crate) fn merge_orders(history: &History, orders: &[Vec<u32>]) -> Vec<u32> {
    let mut moments: Vec<(u32, u32)> = Vec::with_capacity(orders.iter().map(Vec::len).sum());
    for order in orders {
        let mut moment = 0;
        moments.extend(order.iter().map(|&index| {
            moment = history.operations[index as usize].invoked.max(moment);
            (moment, index)
        }));
    }
    // The sort is stable: several operations of one part can have the same linearization point.
    moments.sort_by_key(|&(moment, _)| moment);
    moments.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use histories::{Event, EventType, HistoryBuilder, Process, Value};

    use super::merge_orders;

    #[test]
    fn the_order_of_all_keeps_that_of_each_part_and_real_time() {
        use EventType::{Invoke, Ok as Done};
        let mut builder = HistoryBuilder::default();
        for (process, kind, f, element, answer) in [
            (0, Invoke, "contains", 1, None),
            (1, Invoke, "add", 1, None),
            (2, Invoke, "contains", 2, None),
            (3, Invoke, "add", 2, None),
            (3, Done, "add", 2, None),
            (2, Done, "contains", 2, Some(true)),
            (1, Done, "add", 1, None),
            (0, Done, "contains", 1, Some(true)),
        ] {
            let mut event = Event::new(Process::Client(process), kind, f);
            event.value = if kind == Invoke { Some(Value::Int(element)) } else { answer.map(Value::Bool) };
            builder.push(event).unwrap();
        }
        let history = builder.finish();
        let order = merge_orders(&history, &[vec![1, 0], vec![3, 2]]);
        // `contains` of the first element began first, but comes after its `add`; both ended after the others.
        assert_eq!(order, [1, 0, 3, 2]);
    }
}
