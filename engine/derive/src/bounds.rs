//! Writes what must hold for the types of the fields, at the place where the compiler should complain if it does not.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;

use crate::parse::Record;

impl Record {
    /// `where` each type of a field is a `Field`, and where asked for, an event time or something with a unit.
    ///
    /// Nothing depends on the clause where it holds. Where it does not, this is the one place that the compiler complains
    /// of, at the field; without it there would be as many complaints, at the attribute, as the generated code has
    /// uses.
    pub fn bounds(&self, private: &TokenStream) -> TokenStream {
        let bounds = self.fields.iter().enumerate().map(|(position, field)| {
            let event_time = (self.event_time == Some(position)).then(|| quote!(+ #private::IsEventTime));
            let unit = field.unit.is_some().then(|| quote!(+ #private::HasUnit));
            let format = field.format.is_some().then(|| quote!(+ #private::HasFormat));
            let scale = field.scale.is_some().then(|| quote!(+ #private::HasScale));
            let bounds = quote!(#private::Field #event_time #unit #format #scale);
            let (ty, bounds) = (&field.ty, at(field.ty.span(), bounds));
            quote!(#ty: #bounds)
        });
        quote!(where #(#bounds),*)
    }
}

/// The same tokens, so that what the compiler says of them it says of `place`.
fn at(place: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        token.set_span(token.span().located_at(place));
        token
    });
    moved.collect()
}
