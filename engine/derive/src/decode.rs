//! Writes the opened columns of a record: how each is found, and how a row is put together from them.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

use crate::parse::{Field, Record};

/// A struct with an opened column for each field.
pub fn expand(record: &Record, private: &TokenStream) -> TokenStream {
    let bounds = record.bounds(private);
    let (name, visibility) = (&record.item.ident, &record.item.vis);
    let fields: Vec<_> = record.fields.iter().map(|field| &field.name).collect();
    let types = record.fields.iter().map(|field| {
        let ty = &field.ty;
        quote!(<#ty as #private::Field>::Column)
    });
    // Hidden from the expressions of `default`, which stand in their scope, and never confused with fields of these
    // names.
    let [columns, rows, row] = ["columns", "rows", "row"].map(|name| Ident::new(name, Span::mixed_site()));
    let opened = record.fields.iter().map(|field| open(field, &columns, private));
    quote! {
        #visibility struct __Columns #bounds {
            #(#fields: #types,)*
        }

        impl __Columns #bounds {
            fn open(
                #columns: &#private::Columns<'_>,
            ) -> ::core::result::Result<__Columns, #private::DecodeError> {
                ::core::result::Result::Ok(__Columns { #(#fields: #opened?,)* })
            }
        }

        #[automatically_derived]
        impl #private::Column for __Columns #bounds {
            type Value = #name;

            #[inline]
            fn get(&self, row: usize) -> #name {
                #name { #(#fields: #private::Column::get(&self.#fields, row),)* }
            }
            #[inline]
            fn getter(&self, #rows: usize) -> impl ::core::ops::Fn(usize) -> #name {
                #(let #fields = #private::Column::getter(&self.#fields, #rows);)*
                move |#row| #name { #(#fields: #fields(#row),)* }
            }
        }
    }
}

fn open(field: &Field, columns: &Ident, private: &TokenStream) -> TokenStream {
    let (column, ty) = (&field.column, &field.ty);
    let said = field.said(private);
    match &field.default {
        Some(default) => quote!(#columns.open_or::<#ty>(#column, #said, || #default)),
        None => quote!(#columns.open::<#ty>(#column, #said)),
    }
}

impl Field {
    /// What the record says of how the values are written.
    pub fn said(&self, private: &TokenStream) -> TokenStream {
        let unit = match &self.unit {
            Some(unit) => quote!(::core::option::Option::Some(#private::TimeUnit::#unit)),
            None => quote!(::core::option::Option::None),
        };
        let format = match &self.format {
            Some(format) => quote!(::core::option::Option::Some(#format)),
            None => quote!(::core::option::Option::None),
        };
        let scale = self.scale();
        quote!(#private::Said { unit: #unit, format: #format, scale: #scale, ..#private::Said::NOTHING })
    }

    /// How many digits of an integer stand after the point, where that is said.
    pub fn scale(&self) -> TokenStream {
        match self.scale {
            Some(scale) => quote!(::core::option::Option::Some(#scale)),
            None => quote!(::core::option::Option::None),
        }
    }
}
