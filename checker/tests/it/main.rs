//! The checker from outside: rules by table, agreement with an oracle on random histories, histories that others are tested on.

mod agree;
mod oracle;
mod peers;
mod random;
