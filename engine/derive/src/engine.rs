//! Where the engine is, seen from the crate that uses `#[record]`.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, Path, Result, Token, parse_quote};

/// What stands in the parentheses of `#[record(…)]`.
pub struct Options {
    /// Where the engine is: `crate = path`.
    pub engine: Option<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Options> {
        if input.is_empty() {
            return Ok(Options { engine: None });
        }
        if !input.peek(Token![crate]) {
            return Err(input.error("`#[record]` knows one option: `crate = path::of::dualgauge`"));
        }
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        let engine = input.call(Path::parse_mod_style)?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Options { engine: Some(engine) })
    }
}

/// The packages that have `__private`, in the order in which they are looked for.
///
/// The engine comes first, as a crate that depends on both may have the façade for its tests alone.
const PACKAGES: [&str; 2] = ["dualgauge-engine", "dualgauge"];

/// The path of the engine, or of the façade before it, under the name that the crate's `Cargo.toml` gives it.
///
/// Both can be named from within themselves too (`extern crate self`), so that their own tests, examples and doc
/// examples need no other way. Without cargo there is no `Cargo.toml`: then it is the façade under its own name.
pub fn path() -> Path {
    let own = std::env::var("CARGO_PKG_NAME").ok();
    let name = match PACKAGES.iter().find(|package| own.as_deref() == Some(package)) {
        Some(own) => own.replace('-', "_"),
        None => PACKAGES.iter().find_map(|package| depended_on(package)).unwrap_or_else(|| "dualgauge".into()),
    };
    let name = Ident::new(&name, Span::call_site());
    parse_quote!(::#name)
}

fn depended_on(package: &str) -> Option<String> {
    match crate_name(package).ok()? {
        FoundCrate::Name(name) => Some(name),
        FoundCrate::Itself => Some(package.replace('-', "_")),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn the_engine_is_named_by_one_option_alone() {
        let named = |options| {
            let engine = syn::parse2::<Options>(options).ok()?.engine;
            Some(quote!(#engine).to_string())
        };
        assert_eq!(named(quote!()).as_deref(), Some(""));
        assert_eq!(named(quote!(crate = a::b)).as_deref(), Some("a :: b"));
        assert_eq!(named(quote!(engine = a::b)), None);
    }
}
