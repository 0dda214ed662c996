//! Decides whether a history is linearizable, and says why when it is not.
