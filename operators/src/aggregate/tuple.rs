//! Several aggregates over the same records at once.

use dualgauge_engine::EventTime;

use super::Aggregate;

/// `(count(), sum(…))` is an aggregate whose answer is `(count, sum)`, for two to eight of them; a tuple may hold tuples.
macro_rules! tuples {
    ($(($($name:ident $index:tt),*);)*) => { $(
        impl<D, $($name: Aggregate<D>),*> Aggregate<D> for ($($name,)*) {
            type Acc = ($($name::Acc,)*);
            type Out = ($($name::Out,)*);

            fn detail(&self) -> String {
                let details = [$(self.$index.detail()),*];
                details.into_iter().filter(|detail| !detail.is_empty()).collect::<Vec<_>>().join(", ")
            }

            fn name(&self) -> String {
                format!("({})", [$(self.$index.name()),*].join(", "))
            }

            #[inline]
            fn start(&self) -> Self::Acc {
                ($(self.$index.start(),)*)
            }

            #[inline]
            fn add(&self, acc: &mut Self::Acc, time: EventTime, data: &D) {
                $(self.$index.add(&mut acc.$index, time, data);)*
            }

            #[inline]
            fn merge(&self, acc: &mut Self::Acc, other: &Self::Acc) {
                $(self.$index.merge(&mut acc.$index, &other.$index);)*
            }

            #[inline]
            fn finish(&self, acc: &Self::Acc) -> Self::Out {
                ($(self.$index.finish(&acc.$index),)*)
            }
        }
    )* };
}

tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, E 3);
    (A 0, B 1, C 2, E 3, F 4);
    (A 0, B 1, C 2, E 3, F 4, G 5);
    (A 0, B 1, C 2, E 3, F 4, G 5, H 6);
    (A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7);
}
