//! Writes the total order, and equality and hash that agree with it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::parse::Record;

/// The order compares field by field; `Total` is what does it for a field, so that floats have one too.
pub fn expand(record: &Record, private: &TokenStream) -> TokenStream {
    let bounds = record.bounds(private);
    let name = &record.item.ident;
    let fields: Vec<_> = record.fields.iter().map(|field| &field.name).collect();
    quote! {
        #[automatically_derived]
        impl ::core::cmp::PartialEq for #name #bounds {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                #(#private::Total::total_eq(&self.#fields, &other.#fields))&&*
            }
        }

        #[automatically_derived]
        impl ::core::cmp::Eq for #name #bounds {}

        #[automatically_derived]
        impl ::core::cmp::PartialOrd for #name #bounds {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> ::core::option::Option<::core::cmp::Ordering> {
                ::core::option::Option::Some(::core::cmp::Ord::cmp(self, other))
            }
        }

        #[automatically_derived]
        impl ::core::cmp::Ord for #name #bounds {
            #[inline]
            fn cmp(&self, other: &Self) -> ::core::cmp::Ordering {
                #(match #private::Total::total_cmp(&self.#fields, &other.#fields) {
                    ::core::cmp::Ordering::Equal => {}
                    unequal => return unequal,
                })*
                ::core::cmp::Ordering::Equal
            }
        }

        #[automatically_derived]
        impl ::core::hash::Hash for #name #bounds {
            #[inline]
            fn hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                #(#private::Total::total_hash(&self.#fields, state);)*
            }
        }

        #[automatically_derived]
        impl #private::Total for #name #bounds {
            #[inline]
            fn total_cmp(&self, other: &Self) -> ::core::cmp::Ordering {
                ::core::cmp::Ord::cmp(self, other)
            }
            #[inline]
            fn total_eq(&self, other: &Self) -> bool {
                self == other
            }
            #[inline]
            fn total_hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                ::core::hash::Hash::hash(self, state)
            }
        }
    }
}
