//! What the user wrote, and what of it is refused.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Fields, Ident, Item, ItemStruct, LitInt, LitStr, Meta, Path, Result, Token, Type};

/// A struct that can become a record.
pub struct Record {
    /// The struct without the attributes that are read here.
    pub item: ItemStruct,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Which of them is the event time.
    pub event_time: Option<usize>,
}

/// A field, and the column that it stands for.
pub struct Field {
    /// Its name in the struct.
    pub name: Ident,
    /// Its type.
    pub ty: Type,
    /// The name of the column.
    pub column: String,
    /// What it is where the column is missing.
    pub default: Option<Expr>,
    /// The variant of `TimeUnit` that a column of plain integers counts.
    pub unit: Option<Ident>,
    /// How a time is written as text.
    pub format: Option<LitStr>,
    /// How many digits of an integer stand after the point.
    pub scale: Option<u8>,
}

impl Record {
    /// Reads a struct.
    pub fn parse(item: TokenStream) -> Result<Record> {
        let mut item = match syn::parse2(item)? {
            Item::Struct(item) => item,
            Item::Enum(item) => {
                let message = "a record is a struct: columns know no alternatives; use a struct with an `Option` for \
                               each; an enum that is a key or a state has its traits derived instead";
                return Err(Error::new(item.enum_token.span, message));
            }
            other => return Err(Error::new(other.span(), "a record is a struct with named fields")),
        };
        refuse_generics(&item)?;
        refuse_derives(&item)?;
        let named = match &mut item.fields {
            Fields::Named(named) if !named.named.is_empty() => named,
            Fields::Unnamed(unnamed) => {
                let message = "a record has named fields, as columns have names: write `{ name: Type }`";
                return Err(Error::new(unnamed.span(), message));
            }
            _ => return Err(Error::new(item.ident.span(), "a record has at least one field")),
        };
        let mut fields: Vec<Field> = Vec::new();
        let mut event_time = None;
        for field in &mut named.named {
            let marked = Field::parse(field)?;
            if let Some(mark) = marked.event_time {
                if let Some(first) = event_time {
                    let first: &Field = &fields[first];
                    let message =
                        format!("a record has one event time, and `{}` is it: remove one `#[event_time]`", first.name);
                    return Err(Error::new(mark, message));
                }
                event_time = Some(fields.len());
            }
            if let Some(other) = fields.iter().find(|other| other.column == marked.field.column) {
                let message = format!("`{}` already stands for the column `{}`", other.name, other.column);
                return Err(Error::new(marked.field.name.span(), message));
            }
            fields.push(marked.field);
        }
        Ok(Record { item, fields, event_time })
    }
}

/// A field, and where it is marked as the event time.
struct Marked {
    field: Field,
    event_time: Option<Span>,
}

impl Field {
    /// Reads a field, and removes from it the attributes that are read here.
    fn parse(field: &mut syn::Field) -> Result<Marked> {
        let name = field.ident.clone().expect("a named field");
        let mut parsed = Field {
            column: name.unraw().to_string(),
            name,
            ty: field.ty.clone(),
            default: None,
            unit: None,
            format: None,
            scale: None,
        };
        let mut event_time = None;
        for attribute in &field.attrs {
            if attribute.path().is_ident("event_time") {
                attribute.meta.require_path_only()?;
                event_time = Some(attribute.span());
            } else if attribute.path().is_ident("column") {
                attribute.parse_nested_meta(|option| parsed.parse_option(option))?;
            } else if attribute.path().is_ident("serde") {
                refuse_serde(attribute)?;
            } else if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                let message = "a field of a record is always there; put the condition on the whole struct";
                return Err(Error::new(attribute.span(), message));
            }
        }
        if let (Some(mark), Some(_)) = (event_time, &parsed.default) {
            return Err(Error::new(mark, "the event time cannot have a default: every row needs its own"));
        }
        field
            .attrs
            .retain(|attribute| !attribute.path().is_ident("event_time") && !attribute.path().is_ident("column"));
        Ok(Marked { field: parsed, event_time })
    }

    /// Reads one item in the parentheses of `#[column(…)]`.
    fn parse_option(&mut self, option: ParseNestedMeta<'_>) -> Result<()> {
        if option.path.is_ident("name") {
            self.column = option.value()?.parse::<LitStr>()?.value();
        } else if option.path.is_ident("default") {
            self.default = Some(match option.input.peek(Token![=]) {
                true => option.value()?.parse()?,
                false => syn::parse_quote!(::core::default::Default::default()),
            });
        } else if option.path.is_ident("unit") {
            let unit: LitStr = option.value()?.parse()?;
            let variant = match unit.value().as_str() {
                "s" => "Second",
                "ms" => "Millisecond",
                "us" => "Microsecond",
                "ns" => "Nanosecond",
                _ => return Err(Error::new(unit.span(), "a unit is \"s\", \"ms\", \"us\" or \"ns\"")),
            };
            self.unit = Some(Ident::new(variant, unit.span()));
        } else if option.path.is_ident("format") {
            self.format = Some(option.value()?.parse()?);
        } else if option.path.is_ident("scale") {
            let scale: LitInt = option.value()?.parse()?;
            match scale.base10_parse::<u8>() {
                Ok(digits) if digits <= 38 => self.scale = Some(digits),
                _ => {
                    return Err(Error::new(
                        scale.span(),
                        "a scale is the count of digits behind the point, at most 38",
                    ));
                }
            }
        } else {
            let message = "`#[column]` knows `name = \"…\"`, `default`, `default = value`, `unit = \"ms\"`, \
                           `format = \"%d.%m.%Y\"` and `scale = 2`";
            return Err(option.error(message));
        }
        Ok(())
    }
}

/// Options of serde, and what to write for a column instead: serde's would silently hold for stored state alone.
const OF_SERDE: [(&str, &str); 3] = [
    ("rename", "`#[column(name = \"…\")]`"),
    ("alias", "`#[column(name = \"…\")]`"),
    ("default", "`#[column(default)]` or `#[column(default = value)]`"),
];

fn refuse_serde(attribute: &Attribute) -> Result<()> {
    let options = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    for option in options {
        if let Some((name, instead)) = OF_SERDE.iter().find(|(name, _)| option.path().is_ident(name)) {
            let message = format!("`#[serde({name})]` says nothing of a column: write {instead}");
            return Err(Error::new(attribute.span(), message));
        }
    }
    Ok(())
}

fn refuse_generics(item: &ItemStruct) -> Result<()> {
    match item.generics.params.is_empty() {
        true => Ok(()),
        false => Err(Error::new(item.generics.span(), "a record has no parameters: its columns are of fixed types")),
    }
}

/// The traits that `#[record]` writes; a second implementation of one would be an error in code the user cannot see.
const WRITTEN: [&str; 9] =
    ["Clone", "Debug", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash", "Serialize", "Deserialize"];

fn refuse_derives(item: &ItemStruct) -> Result<()> {
    let derives = item.attrs.iter().filter(|attribute| attribute.path().is_ident("derive"));
    for derived in derives.map(derived).collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        let name = derived.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if WRITTEN.contains(&name.as_str()) {
            return Err(Error::new(derived.span(), format!("`#[record]` already derives `{name}`: remove it here")));
        }
    }
    Ok(())
}

fn derived(attribute: &Attribute) -> Result<Punctuated<Path, Token![,]>> {
    match &attribute.meta {
        Meta::List(_) => attribute.parse_args_with(Punctuated::parse_terminated),
        _ => Ok(Punctuated::new()),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    /// The message that a struct is refused with.
    fn refused(item: TokenStream) -> String {
        Record::parse(item).err().expect("a struct that is refused").to_string()
    }

    #[test]
    fn a_field_is_read_with_all_that_is_said_of_it() {
        let record = Record::parse(quote! {
            /// A bid.
            struct Bid {
                r#type: u8,
                #[column(name = "priceCents", default = 1 + 1)]
                #[serde(skip)]
                price: u64,
                #[event_time]
                #[column(unit = "ns")]
                time: EventTime,
            }
        });
        let record = record.unwrap_or_else(|error| panic!("{error}"));
        let [kind, price, time] = &record.fields[..] else { panic!("three fields") };
        assert_eq!((kind.column.as_str(), kind.default.is_none(), kind.unit.is_none()), ("type", true, true));
        assert_eq!(price.column, "priceCents");
        let default = &price.default;
        assert_eq!(quote!(#default).to_string(), "1 + 1");
        assert_eq!(time.unit.as_ref().unwrap(), "Nanosecond");
        assert_eq!(record.event_time, Some(2));
        // What is not read here stays for those that read it.
        let left: Vec<_> = record.item.fields.iter().map(|field| field.attrs.len()).collect();
        assert_eq!((record.item.attrs.len(), left), (1, vec![0, 1, 0]));
    }

    #[test]
    fn what_is_no_struct_with_named_fields_is_refused() {
        assert!(
            refused(quote!(
                enum Either {
                    Left,
                    Right,
                }
            ))
            .contains("a record is a struct")
        );
        assert!(
            refused(quote!(
                fn bid() {}
            ))
            .contains("a record is a struct")
        );
        assert!(
            refused(quote!(
                struct Bid(u64);
            ))
            .contains("write `{ name: Type }`")
        );
        assert!(
            refused(quote!(
                struct Bid;
            ))
            .contains("at least one field")
        );
        assert!(
            refused(quote!(
                struct Bid {}
            ))
            .contains("at least one field")
        );
        assert!(
            refused(quote!(
                struct Bid<T> {
                    price: T,
                }
            ))
            .contains("no parameters")
        );
        assert!(
            refused(quote!(
                struct Bid<'a> {
                    text: &'a str,
                }
            ))
            .contains("no parameters")
        );
    }

    #[test]
    fn a_second_event_time_is_refused_and_the_first_named() {
        let message = refused(quote!(
            struct Bid {
                #[event_time]
                a: EventTime,
                #[event_time]
                b: EventTime,
            }
        ));
        assert_eq!(message, "a record has one event time, and `a` is it: remove one `#[event_time]`");
    }

    #[test]
    fn two_fields_for_one_column_are_refused() {
        let message = refused(quote!(
            struct Bid {
                a: u8,
                #[column(name = "a")]
                b: u8,
            }
        ));
        assert_eq!(message, "`a` already stands for the column `a`");
    }

    #[test]
    fn attributes_that_mean_nothing_are_refused() {
        assert!(
            refused(quote!(
                struct Bid {
                    #[column(nmae = "b")]
                    a: u8,
                }
            ))
            .contains("`#[column]` knows")
        );
        assert!(
            refused(quote!(
                struct Bid {
                    #[column(unit = "h")]
                    a: EventTime,
                }
            ))
            .contains("a unit is")
        );
        assert!(
            refused(quote!(
                struct Bid {
                    #[event_time(true)]
                    a: EventTime,
                }
            ))
            .contains("unexpected token")
        );
        assert!(
            refused(quote!(
                struct Bid {
                    #[event_time]
                    #[column(default)]
                    a: EventTime,
                }
            ))
            .contains("a default")
        );
        assert!(
            refused(quote!(
                struct Bid {
                    #[cfg(test)]
                    a: u8,
                }
            ))
            .contains("on the whole struct")
        );
    }

    #[test]
    fn names_and_defaults_of_serde_are_refused_with_what_stands_here_for_them() {
        for (attribute, instead) in [
            (quote!(#[serde(rename = "B")]), "column(name"),
            (quote!(#[serde(skip, alias = "B")]), "column(name"),
            (quote!(#[serde(default)]), "column(default"),
        ] {
            let message = refused(quote!(struct Bid { #attribute a: u8 }));
            assert!(message.contains("says nothing of a column") && message.contains(instead), "{message}");
        }
    }

    #[test]
    fn a_trait_that_is_derived_twice_is_refused_and_others_are_not() {
        let message = refused(quote!(
            #[derive(Copy, serde::Serialize)]
            struct Bid {
                a: u8,
            }
        ));
        assert_eq!(message, "`#[record]` already derives `Serialize`: remove it here");
        assert!(
            Record::parse(quote!(
                #[derive(Copy, Default)]
                struct Bid {
                    a: u8,
                }
            ))
            .is_ok()
        );
    }
}
