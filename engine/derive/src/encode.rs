//! Writes the columns of a record in the making: one builder for each field.

use proc_macro2::TokenStream;
use quote::quote;

use crate::parse::Record;

/// A struct with a builder for each field.
pub fn expand(record: &Record, private: &TokenStream) -> TokenStream {
    let bounds = record.bounds(private);
    let (name, visibility) = (&record.item.ident, &record.item.vis);
    let fields: Vec<_> = record.fields.iter().map(|field| &field.name).collect();
    let types = record.fields.iter().map(|field| {
        let ty = &field.ty;
        quote!(<#ty as #private::Field>::Builder)
    });
    let builder = quote!(#private::ColumnBuilder);
    let finished = record.fields.iter().map(|field| {
        let name = &field.name;
        let column = quote!(#builder::finish(self.#name, ::core::option::Option::None));
        match field.scale {
            Some(scale) => quote!(#private::scaled(#column, #scale)),
            None => column,
        }
    });
    quote! {
        #visibility struct __Builder #bounds {
            #(#fields: #types,)*
        }

        #[automatically_derived]
        impl #private::RowBuilder for __Builder #bounds {
            type Value = #name;

            fn with_capacity(rows: usize) -> Self {
                __Builder { #(#fields: #builder::with_capacity(rows),)* }
            }
            #[inline]
            fn push(&mut self, row: &#name) {
                #(#builder::push(&mut self.#fields, &row.#fields);)*
            }
            #[inline]
            fn extend<'a>(&mut self, rows: impl ::core::iter::Iterator<Item = &'a #name> + ::core::clone::Clone)
            where
                #name: 'a,
            {
                #(#builder::extend(&mut self.#fields, ::core::iter::Iterator::map(
                    ::core::clone::Clone::clone(&rows), |row| &row.#fields,
                ));)*
            }
            fn push_placeholder(&mut self) {
                #(#builder::push_placeholder(&mut self.#fields);)*
            }
            fn finish(self) -> ::std::vec::Vec<#private::ArrayRef> {
                ::std::vec![#(#finished),*]
            }
        }
    }
}
