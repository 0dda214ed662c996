//! One history for each rule, accepted or rejected.
