//! Plots as SVG, drawn without any other program.
//!
//! Every contestant has its colour and its mark, so that a plot can be read without colours. All colours are of medium
//! lightness and the background is left unfilled: a plot is as readable on white as on black. A page may set `--ink`
//! and `--grid`.

use std::fmt::Write as _;

use super::results::Spread;

/// A picture of one quantity, by the values of a dimension and by contestant.
pub(super) struct Plot<'a> {
    /// What is drawn, above it.
    pub(super) title: &'a str,
    /// What the values along the axis are.
    pub(super) axis: &'a str,
    /// The values, in their order.
    pub(super) labels: Vec<&'a str>,
    /// The contestants, and what each came to at each value.
    pub(super) series: Vec<(&'a str, Vec<Option<Spread>>)>,
    /// How the quantity is measured off.
    pub(super) scale: Scale,
}

/// How a quantity is measured off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero, so that twice as high is twice as much.
    Linear,
    /// By powers of ten, for what spans several of them.
    Powers,
}

/// Around the area of the lines: the left has the numbers, the top the title and the names, the bottom the values.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;

/// The area of the lines, and how high a row of names and a bar are.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 210.0;
const NAMES: f64 = 18.0;
const BAR: f64 = 9.0;

/// Where bars begin, beside the names of patterns, and how long the longest may be.
const BARS_LEFT: f64 = 165.0;
const BARS_WIDTH: f64 = 330.0;

/// For each contestant, by its place; after eight they start over, with other dashes.
const COLOURS: [&str; 8] = ["#2f7ed8", "#d9752b", "#2a9d5c", "#c2498c", "#8c6bd6", "#a98a1f", "#1fa3a3", "#8a8f98"];

const STYLE: &str = "\
.plot text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink, #76797e) }\n\
.plot .title { font-weight: 600; font-size: 13px }\n\
.plot .grid { stroke: var(--grid, #8884); stroke-width: 1 }\n\
.plot .spread { stroke-width: 1.2; opacity: .55 }\n\
.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round }\n";

impl Plot<'_> {
    /// The picture with one line per contestant, along the values in even steps.
    pub(super) fn lines(&self) -> String {
        let (names, name_rows) = self.names(LEFT + WIDTH);
        let top = TOP + name_rows as f64 * NAMES;
        let (width, height) = (LEFT + WIDTH + RIGHT, top + HEIGHT + BOTTOM);
        let mut svg = self.open(width, height);
        svg += &names;
        let range = self.range();
        let y = |value: f64| top + HEIGHT * (1.0 - range.part(value));
        let step = WIDTH / self.labels.len() as f64;
        let x = |at: usize| LEFT + step * (at as f64 + 0.5);
        for tick in range.ticks() {
            let at = y(tick);
            put(
                &mut svg,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>",
                    LEFT + WIDTH
                ),
            );
            text(&mut svg, "", (LEFT - 8.0, at + 4.0), "end", &number(tick));
        }
        for (at, label) in self.labels.iter().enumerate() {
            text(&mut svg, "", (x(at), top + HEIGHT + 18.0), "middle", label);
        }
        text(&mut svg, "", (LEFT + WIDTH / 2.0, top + HEIGHT + 38.0), "middle", self.axis);
        for (place, (_, values)) in self.series.iter().enumerate() {
            let colour = COLOURS[place % COLOURS.len()];
            // Side by side, so that one does not hide the spread of another.
            let aside = (place as f64 - (self.series.len() as f64 - 1.0) / 2.0) * 3.0;
            let known: Vec<(f64, Spread)> =
                values.iter().enumerate().filter_map(|(at, value)| Some((x(at) + aside, (*value)?))).collect();
            for (x, spread) in known.iter().filter(|(_, spread)| spread.least < spread.greatest) {
                let (low, high) = (y(spread.least), y(spread.greatest));
                put(
                    &mut svg,
                    format_args!(
                        "<line class=\"spread\" stroke=\"{colour}\" x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\"/>"
                    ),
                );
            }
            let path: Vec<String> = known.iter().map(|(x, spread)| format!("{x:.1},{:.1}", y(spread.median))).collect();
            let dash = if place < COLOURS.len() { "" } else { " stroke-dasharray=\"5 4\"" };
            put(
                &mut svg,
                format_args!("<polyline class=\"line\" stroke=\"{colour}\"{dash} points=\"{}\"/>", path.join(" ")),
            );
            known.iter().for_each(|(x, spread)| mark(&mut svg, place, (*x, y(spread.median))));
        }
        svg + "</svg>\n"
    }

    /// The picture with one bar per contestant, for values that are not more or less of something.
    pub(super) fn bars(&self) -> String {
        let width = BARS_LEFT + BARS_WIDTH + 30.0;
        let (names, name_rows) = self.names(width);
        let top = TOP + name_rows as f64 * NAMES;
        let group = self.series.len() as f64 * (BAR + 2.0) + 14.0;
        let bottom = top + group * self.labels.len() as f64;
        let mut svg = self.open(width, bottom + BOTTOM - 12.0);
        svg += &names;
        let range = self.range();
        let x = |value: f64| BARS_LEFT + BARS_WIDTH * range.part(value);
        for tick in range.ticks() {
            let at = x(tick);
            put(
                &mut svg,
                format_args!("<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top:.1}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\"/>"),
            );
            text(&mut svg, "", (at, bottom + 16.0), "middle", &number(tick));
        }
        for (at, label) in self.labels.iter().enumerate() {
            let start = top + group * at as f64 + 7.0;
            text(&mut svg, "", (BARS_LEFT - 10.0, start + group / 2.0 - 3.0), "end", label);
            for (place, (_, values)) in self.series.iter().enumerate() {
                let Some(spread) = values[at] else { continue };
                let (colour, y) = (COLOURS[place % COLOURS.len()], start + place as f64 * (BAR + 2.0));
                let long = x(spread.median) - BARS_LEFT;
                put(
                    &mut svg,
                    format_args!(
                        "<rect fill=\"{colour}\" x=\"{BARS_LEFT}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{BAR}\"/>"
                    ),
                );
                let (low, high, middle) = (x(spread.least), x(spread.greatest), y + BAR / 2.0);
                put(
                    &mut svg,
                    format_args!(
                        "<line class=\"spread\" stroke=\"var(--ink, #76797e)\" x1=\"{low:.1}\" y1=\"{middle:.1}\" x2=\"{high:.1}\" y2=\"{middle:.1}\"/>"
                    ),
                );
            }
        }
        svg + "</svg>\n"
    }

    fn open(&self, width: f64, height: f64) -> String {
        let mut svg = format!(
            "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{} by {}</title>\n<style>\n{STYLE}</style>\n",
            escaped(self.title),
            escaped(self.axis)
        );
        text(&mut svg, "title", (12.0, 20.0), "start", self.title);
        svg
    }

    /// The names of the contestants with their marks, in as many rows as they need.
    fn names(&self, width: f64) -> (String, usize) {
        let (mut svg, mut x, mut row) = (String::new(), 18.0, 0);
        for (place, (name, _)) in self.series.iter().enumerate() {
            let wide = 28.0 + name.chars().count() as f64 * 6.6;
            if x + wide > width && x > 18.0 {
                (x, row) = (18.0, row + 1);
            }
            let y = TOP + 4.0 + row as f64 * NAMES;
            mark(&mut svg, place, (x, y - 4.0));
            text(&mut svg, "", (x + 9.0, y), "start", name);
            x += wide;
        }
        (svg, row + 1)
    }

    fn range(&self) -> Range {
        let all = || self.series.iter().flat_map(|(_, values)| values.iter().flatten());
        let greatest = all().map(|spread| spread.greatest).fold(0.0, f64::max);
        let least = all().map(|spread| spread.least).filter(|least| *least > 0.0).fold(f64::INFINITY, f64::min);
        match self.scale {
            Scale::Powers if least.is_finite() => {
                let (low, high) = (least.log10().floor(), greatest.log10().ceil());
                Range { scale: self.scale, low, high: if low < high { high } else { low + 1.0 }, step: 1.0 }
            }
            _ => {
                let step = round_step(greatest / 5.0);
                let high = (greatest / step).ceil().max(1.0) * step;
                Range { scale: Scale::Linear, low: 0.0, high, step }
            }
        }
    }
}

/// What an axis spans; by powers, these are exponents.
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    step: f64,
}

impl Range {
    /// Which part of the axis lies below a value.
    fn part(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Powers => value.max(f64::MIN_POSITIVE).log10(),
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let at = |nth: usize| self.low + nth as f64 * self.step;
        (0..=count).map(move |nth| if self.scale == Scale::Powers { 10_f64.powf(at(nth)) } else { at(nth) })
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= least * 0.999);
    step.expect("a number is below ten times its power of ten") * power
}

/// A number with few digits: `0.05`, `1.5`, `20`, `300 k`, `2 M`.
pub(super) fn number(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The mark of a contestant: a disc, a square, a triangle or a diamond, in its colour.
fn mark(svg: &mut String, place: usize, (x, y): (f64, f64)) {
    let colour = COLOURS[place % COLOURS.len()];
    match place % 4 {
        0 => put(svg, format_args!("<circle fill=\"{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>")),
        1 => put(
            svg,
            format_args!(
                "<rect fill=\"{colour}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>",
                x - 3.5,
                y - 3.5
            ),
        ),
        2 => put(svg, format_args!("<path fill=\"{colour}\" d=\"M{x:.1} {:.1}l4.5 8h-9z\"/>", y - 4.5)),
        _ => put(svg, format_args!("<path fill=\"{colour}\" d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\"/>", y - 5.0)),
    }
}

fn text(svg: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, what: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    put(svg, format_args!("<text{class} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(what)));
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(svg, "{what}").expect("a string takes all");
}

/// A text, escaped for SVG and HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale) -> Plot<'static> {
        let spread = |median: f64| Some(Spread { least: median * 0.9, median, greatest: median * 1.1 });
        let series = vec![("a<b", vec![spread(1.0), spread(40.0)]), ("c", vec![None, spread(900.0)])];
        Plot { title: "events & pairs", axis: "rate", labels: vec!["1 k", "2 k"], series, scale }
    }

    #[test]
    fn every_value_has_its_mark_and_names_are_escaped() {
        let svg = plot(Scale::Linear).lines();
        // Two marks in the legend, three of values.
        assert_eq!(svg.matches("<circle ").count(), 3, "{svg}");
        assert_eq!(svg.matches("<rect ").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"line\"").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("events &amp; pairs") && svg.contains(">1 k<"), "{svg}");
        let bars = plot(Scale::Linear).bars();
        assert_eq!(bars.matches("height=\"9\"").count(), 3, "{bars}");
    }

    #[test]
    fn axes_span_what_is_drawn_in_round_steps() {
        let ticks = |scale| plot(scale).range().ticks().collect::<Vec<_>>();
        assert_eq!(ticks(Scale::Linear), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        let powers: Vec<String> = ticks(Scale::Powers).into_iter().map(number).collect();
        assert_eq!(powers, ["0.1", "1", "10", "100", "1000"]);
        let linear = plot(Scale::Linear).range();
        assert_eq!([0.0, 500.0, 1000.0].map(|value| linear.part(value)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn numbers_have_few_digits() {
        let numbers = [0.0, 0.05, 1.5, 20.0, 123.4, 4_000.0, 300_000.0, 2_000_000.0, 12_340_000.0].map(number);
        assert_eq!(numbers, ["0", "0.05", "1.5", "20", "123", "4000", "300 k", "2 M", "12.3 M"]);
    }
}
