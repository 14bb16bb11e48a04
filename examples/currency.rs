//! Currencies: orders in dollars and pounds, each converted at the rate that was valid when it was placed. A rate that
//! comes a little late still counts for the orders after its time; one that comes too late changes nothing, and is
//! reported.
//!
//! `cargo run --example currency`

use dualgauge::prelude::*;

#[record]
struct Order {
    number: u64,
    currency: String,
    cents: u64,
    #[event_time]
    placed: EventTime,
}

#[record]
struct Rate {
    currency: String,
    /// Euros for ten thousand of the currency.
    euros: u64,
    #[event_time]
    from: EventTime,
}

#[record]
struct Converted {
    number: u64,
    currency: String,
    cents: u64,
    #[event_time]
    placed: EventTime,
    /// The rate and the amount in cents of a euro, if there was a rate.
    euros: Option<u64>,
    euro_cents: Option<u64>,
}

/// A rate or an order that came too late to be taken.
#[record]
struct TooLate {
    what: String,
    #[event_time]
    time: EventTime,
}

/// The exchange may correct its rates for ten minutes.
pub fn conversion(flow: &Flow) {
    let rates = flow.source::<Rate>("rates").disorder(0.minutes());
    let rates = rates.key_by_ref(|rate| &rate.currency).allowed_lateness(10.minutes());
    let orders = flow.source::<Order>("orders").disorder(0.minutes());
    let converted =
        orders.key_by_ref(|order| &order.currency).as_of(rates).left("conversion", |order, rate| Converted {
            number: order.number,
            currency: order.currency.clone(),
            cents: order.cents,
            placed: order.placed,
            euros: rate.map(|rate| rate.euros),
            euro_cents: rate.map(|rate| order.cents * rate.euros / 10_000),
        });
    let too_late = converted.late().map(|late| match late {
        Either::Left(order) => TooLate { what: format!("order {}", order.number), time: order.placed },
        Either::Right(rate) => TooLate { what: format!("{} at {}", rate.currency, rate.euros), time: rate.from },
    });
    too_late.sink("too_late");
    converted.sink("converted");
}

/// Currency, euros for ten thousand, and the minute from which they are valid, in the order of arrival.
const RATES: [(&str, u64, i64); 8] = [
    ("USD", 9_200, 0),
    ("GBP", 11_700, 0),
    ("USD", 9_300, 10),
    ("USD", 9_100, 20),
    ("USD", 9_400, 15), // five minutes behind: within the ten
    ("GBP", 11_800, 30),
    ("GBP", 12_000, 5), // twenty-five minutes behind: too late
    ("USD", 9_000, 40),
];

/// Currency, cents, and the minute of each order.
const ORDERS: [(&str, u64, i64); 8] = [
    ("USD", 10_000, 5),
    ("GBP", 20_000, 8), // at the rate of minute 0: the one of minute 5 was too late
    ("USD", 10_000, 10),
    ("USD", 10_000, 17), // at the rate of minute 15, which came after that of minute 20
    ("CHF", 99_900, 18), // no rate
    ("USD", 10_000, 25),
    ("GBP", 20_000, 45),
    ("USD", 10_000, 45),
];

fn main() -> dualgauge::Result<()> {
    let at = |minute: i64| EventTime::default() + minute.minutes();
    let rates = RATES.map(|(currency, euros, from)| Rate { currency: currency.into(), euros, from: at(from) });
    let orders = ORDERS.iter().zip(1..).map(|(&(currency, cents, minute), number)| Order {
        number,
        currency: currency.into(),
        cents,
        placed: at(minute),
    });
    let (converted_out, late_out) = (memory::collect::<Converted>(), memory::collect::<TooLate>());
    Job::new(conversion)
        .source("rates", memory::rows(rates.to_vec()).as_live())
        .source("orders", memory::rows(orders.collect()).as_live())
        .sink("converted", converted_out.clone())
        .sink("too_late", late_out.clone())
        .run()?;

    let minute = |time: EventTime| (time - at(0)).as_micros() / 60_000_000;
    let money = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
    println!("order  minute        amount    rate        euros");
    let mut converted = converted_out.rows();
    converted.sort_by_key(|order| order.number);
    for order in &converted {
        let rate = order.euros.map_or("none".to_string(), |euros| format!("{}.{:04}", euros / 10_000, euros % 10_000));
        let euros = order.euro_cents.map_or("-".to_string(), money);
        let (number, amount, currency) = (order.number, money(order.cents), &order.currency);
        println!("{number:>5}  {:>6}  {amount:>8} {currency}  {rate:>6}  {euros:>11}", minute(order.placed));
    }
    for late in late_out.rows() {
        println!("too late: {} from minute {}", late.what, minute(late.time));
    }

    let rates: Vec<_> = converted.iter().map(|order| order.euros).collect();
    let expected = [9_200, 11_700, 9_300, 9_400, 0, 9_100, 11_800, 9_000];
    assert_eq!(rates, expected.map(|euros| Some(euros).filter(|euros| *euros > 0)));
    assert_eq!(converted[1].euro_cents, Some(23_400));
    assert_eq!(late_out.rows(), [TooLate { what: "GBP at 12000".to_string(), time: at(5) }]);
    Ok(())
}
