//! Writes the traits that say what the columns are: `Record` and `Row`, and `Field` where it may be nested.

use proc_macro2::TokenStream;
use quote::quote;

use crate::parse::Record;

/// The implementations of the traits; what they refer to, the other modules write.
pub fn expand(record: &Record, private: &TokenStream) -> TokenStream {
    let bounds = record.bounds(private);
    let name = &record.item.ident;
    let columns = record.fields.iter().map(|field| {
        let (column, ty) = (&field.column, &field.ty);
        let scale = field.scale();
        quote!(#private::scaled_field(#private::arrow_field::<#ty>(#column), #scale))
    });
    let wanted = record.fields.iter().map(|field| {
        let (column, ty, said) = (&field.column, &field.ty, field.said(private));
        let default = match &field.default {
            Some(default) => quote!(::core::option::Option::Some(#default)),
            None => quote!(::core::option::Option::None),
        };
        quote!(#private::wanted_field::<#ty>(#column, #said, #default))
    });
    let event_time = record.event_time.map(|position| &record.fields[position]);
    let (event_time_column, event_time_value, event_time_or_least) = match event_time {
        Some(field) => {
            let (column, name) = (&field.column, &field.name);
            let value = quote!(#private::IsEventTime::event_time);
            (
                quote!(::core::option::Option::Some(#column)),
                quote!(::core::option::Option::Some(#value(&self.#name))),
                quote!(|row| #value(&row.#name)),
            )
        }
        None => {
            let none = quote!(::core::option::Option::None);
            (none.clone(), none, quote!(|_| #private::EventTime::MIN))
        }
    };
    let fields = record.fields.iter().map(|field| &field.name);
    let nested = event_time.is_none().then(|| nested(record, private));
    quote! {
        #[automatically_derived]
        impl #private::Record for #name #bounds {
            fn schema() -> #private::SchemaRef {
                <Self as #private::Row>::schema()
            }
            fn wanted() -> #private::SchemaRef {
                <Self as #private::Row>::wanted()
            }
            fn event_time_column() -> ::core::option::Option<&'static str> {
                #event_time_column
            }
            #[inline]
            fn event_time(&self) -> ::core::option::Option<#private::EventTime> {
                #event_time_value
            }
            #[inline]
            fn weight(&self) -> usize {
                0 #(+ #private::Field::weight(&self.#fields))*
            }
            fn decode(
                batch: &#private::RecordBatch,
                rows: &mut ::std::vec::Vec<#private::Event<Self>>,
            ) -> ::core::result::Result<(), #private::DecodeError> {
                #private::decode(batch, rows, #event_time_or_least)
            }
            fn encode<'a>(
                rows: impl ::core::iter::Iterator<Item = &'a Self> + ::core::clone::Clone,
            ) -> #private::RecordBatch
            where
                Self: 'a,
            {
                #private::encode(rows)
            }
        }

        #[automatically_derived]
        impl #private::Row for #name #bounds {
            type Columns = __Columns;
            type Builder = __Builder;

            fn schema() -> #private::SchemaRef {
                static SCHEMA: ::std::sync::OnceLock<#private::SchemaRef> = ::std::sync::OnceLock::new();
                let schema = SCHEMA.get_or_init(|| {
                    ::std::sync::Arc::new(#private::Schema::new(::std::vec![#(#columns),*]))
                });
                ::std::clone::Clone::clone(schema)
            }
            fn wanted() -> #private::SchemaRef {
                static WANTED: ::std::sync::OnceLock<#private::SchemaRef> = ::std::sync::OnceLock::new();
                let wanted = WANTED.get_or_init(|| {
                    ::std::sync::Arc::new(#private::Schema::new(::std::vec![#(#wanted),*]))
                });
                ::std::clone::Clone::clone(wanted)
            }
            fn open(
                columns: &#private::Columns<'_>,
            ) -> ::core::result::Result<__Columns, #private::DecodeError> {
                __Columns::open(columns)
            }
        }

        #nested
    }
}

/// Only a record without an event time is a field: of two event times in one row it would not be clear which counts.
fn nested(record: &Record, private: &TokenStream) -> TokenStream {
    let bounds = record.bounds(private);
    let name = &record.item.ident;
    quote! {
        #[automatically_derived]
        impl #private::Field for #name #bounds {
            type Column = __Columns;
            type Builder = #private::NestedBuilder<#name>;

            fn data_type() -> #private::DataType {
                #private::nested_data_type::<#name>()
            }
            fn wanted(name: &str, _: #private::Said<'_>) -> #private::ArrowField {
                #private::nested_wanted::<#name>(name)
            }
            #[inline]
            fn weight(&self) -> usize {
                #private::Record::weight(self)
            }
            fn open(
                array: &#private::ArrayRef,
                live: &#private::Live,
                _: #private::Said<'_>,
            ) -> ::core::result::Result<__Columns, #private::DecodeError> {
                #private::nested_open::<#name>(array, live)
            }
        }

        impl #private::Element for #name #bounds {}
        impl #private::Present for #name #bounds {}
    }
}
