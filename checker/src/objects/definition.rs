//! Definitions of models, for the table of models.

use histories::Value;

use super::{
    container::collection::{Collection, Elements},
    key::{Key, MethodResult, NewObject},
};
use crate::{
    properties::Property,
    specification::{Argument, Call, is_list_of},
};

/// Definition of a model: everything that the table needs to know of it.
pub(super) struct Definition {
    /// Name as a user types it.
    pub name: &'static str,
    /// Functions in a few words, for a list of models.
    pub functions: &'static str,
    /// Property that is judged instead of an object.
    pub property: Option<&'static dyn Property>,
    /// Sequential specification of an object that begins with this value.
    pub specification: NewObject,
    /// Initial values in a few words, and whether this is one of them.
    pub initial: (&'static str, fn(&Value) -> bool),
    /// Method of its own. The general search decides where there is none, or where it does not fit.
    pub method: Option<fn(&Key<'_>) -> MethodResult>,
    /// Argument that a function of this name takes, as far as that is known without looking at values; any argument
    /// for a function that the model does not have.
    pub argument: fn(&str) -> Argument,
    /// True of a call that has an answer which could be wrong. In a model in which any write is possible, only reads
    /// have one.
    pub is_informative: fn(&Call<'_>) -> bool,
    /// True if the verdict depends on which process carried out an operation, beyond the time at which it did.
    pub needs_processes: bool,
}

impl Definition {
    /// Defines a model without a method, which begins with any value, and whose functions take any argument.
    pub(super) const fn new(name: &'static str, functions: &'static str, specification: NewObject) -> Self {
        Self {
            name,
            functions,
            property: None,
            specification,
            initial: ("any value", |_| true),
            method: None,
            argument: |_| Argument::Any,
            is_informative: |call| call.output.is_some(),
            needs_processes: false,
        }
    }

    /// Defines a model of a collection, which begins with a list of its elements.
    pub(super) const fn of_collection<C: Elements + 'static>(name: &'static str, functions: &'static str) -> Self {
        Self {
            initial: ("a list of values other than null, or null for none", |initial| {
                is_list_of(initial, |element| *element != Value::Nil)
            }),
            argument: |function| C::NAMES.argument(function),
            is_informative: |call| C::NAMES.finds_something(call),
            ..Self::new(name, functions, |initial| Box::new(Collection::<C>::new(initial)))
        }
    }

    /// Defines a model of a property.
    pub(super) const fn of_property(
        name: &'static str,
        functions: &'static str,
        property: &'static dyn Property,
    ) -> Self {
        let specification: NewObject = |_| unreachable!("a property is decided without an object");
        Self { property: Some(property), ..Self::new(name, functions, specification) }
    }
}
