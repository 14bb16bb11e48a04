//! The `#[record]` attribute: from a struct to columns and back.
//!
//! `parse` reads what the user wrote and refuses what cannot be; the other modules each write one part of the answer.
//! They write as little as they can: what does not differ from record to record stands in the engine, under
//! `__private`. What it accepts and generates is documented where the engine re-exports it.

#![forbid(unsafe_code)]

mod bounds;
mod decode;
mod encode;
mod engine;
mod order;
mod parse;
mod schema;

use proc_macro::TokenStream;
use quote::quote;

use engine::Options;
use parse::Record;

#[allow(missing_docs)] // Documented where the engine re-exports it, as its examples need the engine.
#[proc_macro_attribute]
pub fn record(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse(options).and_then(|options| expand(options, item.into()));
    expanded.unwrap_or_else(|error| error.into_compile_error()).into()
}

fn expand(options: Options, item: proc_macro2::TokenStream) -> syn::Result<proc_macro2::TokenStream> {
    let record = Record::parse(item)?;
    let engine = options.engine.unwrap_or_else(engine::path);
    let private = quote!(#engine::__private);
    let serde = quote!(#private::serde).to_string();

    let item = &record.item;
    let order = order::expand(&record, &private);
    let schema = schema::expand(&record, &private);
    let decode = decode::expand(&record, &private);
    let encode = encode::expand(&record, &private);
    Ok(quote! {
        #[derive(::core::clone::Clone, ::core::fmt::Debug, #private::serde::Serialize, #private::serde::Deserialize)]
        #[serde(crate = #serde)]
        #item

        #[allow(trivial_bounds)]
        const _: () = {
            #order
            #schema
            #decode
            #encode
        };
    })
}
