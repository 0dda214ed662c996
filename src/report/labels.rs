//! Places for the labels of boxes that lie in one lane of a picture, so that no words lie on other words.

/// Box in a lane, with the width of its label.
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelledBox {
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) label_width: f64,
    /// True if the label is shown whatever it lies on.
    pub(super) must_show: bool,
}

/// Place of a label, by the box that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LabelPlace {
    Inside,
    Left,
    Right,
}

/// Distance between a box and its label.
pub(super) const GAP: f64 = 6.0;

/// Returns a place for the label of each box, or none if there is no room: inside, or beside it, to the left in the
/// right half of the picture. The edges are those between which labels may lie.
pub(super) fn places(boxes: &[LabelledBox], [left, right]: [f64; 2]) -> Vec<Option<LabelPlace>> {
    use LabelPlace::{Inside, Left, Right};
    let mut places = vec![None; boxes.len()];
    let mut taken: Vec<[f64; 2]> = Vec::new();
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by_key(|&at| !boxes[at].must_show);
    for at in order {
        let of = boxes[at];
        let is_right_half = of.from > left + (right - left) * 0.55;
        let preferred = if is_right_half { [Inside, Left, Right] } else { [Inside, Right, Left] };
        let is_free = |place: &LabelPlace| {
            let [from, until] = of.span(*place);
            let others =
                || boxes.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, it)| [it.from, it.until]);
            let is_apart = |[other_from, other_until]: [f64; 2]| until <= other_from || from >= other_until;
            let fits = if *place == Inside { until + GAP <= of.until } else { from >= left && until <= right };
            fits && taken.iter().copied().all(is_apart) && (*place == Inside || others().all(is_apart))
        };
        places[at] = preferred.into_iter().find(is_free).or(of.must_show.then_some(preferred[1]));
        taken.extend(places[at].map(|place| of.span(place)));
    }
    places
}

impl LabelledBox {
    /// Returns where a label at this place begins and ends.
    fn span(self, place: LabelPlace) -> [f64; 2] {
        let Self { from, until, label_width, .. } = self;
        match place {
            LabelPlace::Inside => [from + GAP, from + GAP + label_width],
            LabelPlace::Left => [from - GAP - label_width, from - GAP],
            LabelPlace::Right => [until + GAP, until + GAP + label_width],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        LabelPlace::{Inside, Left, Right},
        LabelledBox, places,
    };

    fn labelled(from: f64, until: f64, label_width: f64) -> LabelledBox {
        LabelledBox { from, until, label_width, must_show: false }
    }

    fn placed(boxes: &[LabelledBox]) -> Vec<Option<super::LabelPlace>> {
        places(boxes, [0.0, 1000.0])
    }

    #[test]
    fn a_label_is_inside_where_it_fits_and_beside_its_box_otherwise() {
        assert_eq!(placed(&[labelled(100.0, 300.0, 90.0)]), [Some(Inside)]);
        assert_eq!(placed(&[labelled(100.0, 110.0, 90.0)]), [Some(Right)]);
        assert_eq!(placed(&[labelled(900.0, 910.0, 90.0)]), [Some(Left)]);
    }

    #[test]
    fn no_label_lies_on_another_or_on_another_box() {
        let near = labelled(400.0, 410.0, 90.0);
        assert_eq!(placed(&[near, labelled(430.0, 440.0, 90.0)]), [Some(Left), Some(Right)]);
        assert_eq!(placed(&[near, near]), [Some(Right), Some(Left)]);
        let at_the_edge = labelled(20.0, 30.0, 90.0);
        assert_eq!(placed(&[at_the_edge, at_the_edge]), [Some(Right), None]);
        let between = [labelled(400.0, 410.0, 90.0), labelled(500.0, 510.0, 90.0), labelled(600.0, 610.0, 90.0)];
        assert_eq!(placed(&between), [Some(Left), None, Some(Right)]);
    }

    #[test]
    fn the_label_that_must_be_shown_is_placed_first() {
        let near = labelled(400.0, 410.0, 90.0);
        assert_eq!(placed(&[near, LabelledBox { must_show: true, ..near }]), [Some(Left), Some(Right)]);
        let wide = labelled(400.0, 410.0, 2000.0);
        let must = LabelledBox { must_show: true, ..wide };
        assert_eq!(placed(&[wide, must]), [None, Some(Right)], "even where it has no room");
    }
}
