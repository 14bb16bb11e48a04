"""One peer of the bench: runs queries as they are asked for on standard input, and says how long each took.

    python peers.py duckdb|datafusion|polars DIR THREADS

Asked `q5 0` (a query and one of its formulations), it answers `SECONDS ROWS`; asked `formulations q5`, how many there are.
The time is from the query's text, or its lazy frame, to the whole answer in memory as Arrow columns. Starting, importing
and knowing the files are not in it. Windows are integer arithmetic on times where that is the faster way.

Every query stands here in the ways that were found to be fast; the bench takes the fastest.
"""

import glob
import os
import sys
import time

TEN = 10  # seconds

# SQL for DuckDB and DataFusion. {w} is the number of the ten-second window of `date_time`, {s} of the two-second slice,
# {t} the time in microseconds.
SQL = {
    "q5": [
        # Counts by slice first, then five slices a window.
        """WITH slices AS (SELECT auction, {s} AS slice, count(*) AS bids FROM bids GROUP BY 1, 2),
             counts AS (SELECT auction, slice + behind AS window_end, sum(bids) AS bids
                        FROM slices CROSS JOIN (VALUES (1), (2), (3), (4), (5)) AS v(behind) GROUP BY 1, 2),
             most AS (SELECT window_end, max(bids) AS bids FROM counts GROUP BY 1)
           SELECT auction, counts.bids, counts.window_end FROM counts JOIN most
             ON counts.window_end = most.window_end AND counts.bids = most.bids""",
        """WITH slices AS (SELECT auction, {s} AS slice, count(*) AS bids FROM bids GROUP BY 1, 2),
             counts AS (SELECT auction, slice + behind AS window_end, sum(bids) AS bids
                        FROM slices CROSS JOIN (VALUES (1), (2), (3), (4), (5)) AS v(behind) GROUP BY 1, 2),
             ranked AS (SELECT *, rank() OVER (PARTITION BY window_end ORDER BY bids DESC) AS rank FROM counts)
           SELECT auction, bids, window_end FROM ranked WHERE rank = 1""",
    ],
    "q7": [
        """WITH most AS (SELECT {w} AS w, max(price) AS price FROM bids GROUP BY 1)
           SELECT auction, bidder, bids.price, date_time FROM bids JOIN most ON {w} = most.w AND bids.price = most.price""",
        """WITH ranked AS (SELECT auction, bidder, price, date_time, max(price) OVER (PARTITION BY {w}) AS most FROM bids)
           SELECT auction, bidder, price, date_time FROM ranked WHERE price = most""",
    ],
    "q8": [
        """SELECT DISTINCT id, name, {w} AS w FROM persons
             JOIN (SELECT DISTINCT seller, {w} AS v FROM auctions) AS sellers ON id = seller AND {w} = v""",
        """SELECT id, name, {w} AS w FROM persons
             WHERE EXISTS (SELECT 1 FROM (SELECT seller, {w} AS v FROM auctions) AS sellers
                           WHERE seller = id AND v = {w})""",
    ],
    "q11": [
        # Only the first bid of each visit goes on; how many there are is a difference of row numbers.
        """WITH gaps AS (SELECT bidder, {t} AS t, lag({t}) OVER one AS before, row_number() OVER one AS number,
                                count(*) OVER (PARTITION BY bidder) AS bids, max({t}) OVER (PARTITION BY bidder) AS last
                         FROM bids WINDOW one AS (PARTITION BY bidder ORDER BY date_time)),
             firsts AS (SELECT * FROM gaps WHERE before IS NULL OR t - before >= 10000000)
           SELECT bidder, t AS start, coalesce(lead(number) OVER two, bids + 1) - number AS bids,
                  coalesce(lead(before) OVER two, last) AS last
           FROM firsts WINDOW two AS (PARTITION BY bidder ORDER BY t)""",
        """WITH gaps AS (SELECT bidder, {t} AS t, lag({t}) OVER (PARTITION BY bidder ORDER BY date_time) AS before FROM bids),
             numbered AS (SELECT bidder, t, sum(CASE WHEN t - before >= 10000000 THEN 1 ELSE 0 END)
                                 OVER (PARTITION BY bidder ORDER BY t ROWS UNBOUNDED PRECEDING) AS visit FROM gaps)
           SELECT bidder, min(t) AS start, count(*) AS bids, max(t) AS last FROM numbered GROUP BY bidder, visit""",
        # Bids of one bidder at one instant are one first, which makes the windows shorter.
        """WITH instants AS (SELECT bidder, {t} AS t, count(*) AS bids FROM bids GROUP BY 1, 2),
             gaps AS (SELECT bidder, t, bids, lag(t) OVER (PARTITION BY bidder ORDER BY t) AS before FROM instants),
             numbered AS (SELECT bidder, t, bids, sum(CASE WHEN t - before >= 10000000 THEN 1 ELSE 0 END)
                                 OVER (PARTITION BY bidder ORDER BY t ROWS UNBOUNDED PRECEDING) AS visit FROM gaps)
           SELECT bidder, min(t) AS start, sum(bids) AS bids, max(t) AS last FROM numbered GROUP BY bidder, visit""",
    ],
    "q12": [
        "SELECT bidder, count(*) AS bids, {w} AS w FROM bids GROUP BY 1, 3",
    ],
    "window-join": [
        """SELECT auction, bidder, seller, price, b.date_time AS bid_time, a.date_time AS auction_time
           FROM (SELECT auction, bidder, price, date_time, {w} AS w FROM bids) AS b
           JOIN (SELECT id, seller, date_time, {w} AS w FROM auctions) AS a ON id = auction AND b.w = a.w""",
        # An auction has one window, so its id alone finds it.
        """SELECT auction, bidder, seller, price, b.date_time AS bid_time, a.date_time AS auction_time
           FROM (SELECT auction, bidder, price, date_time, {w} AS w FROM bids) AS b
           JOIN (SELECT id, seller, date_time, {w} AS w FROM auctions) AS a ON id = auction WHERE b.w = a.w""",
    ],
    "interval-join": [
        """SELECT auction, bidder, seller, price, b.date_time AS bid_time, a.date_time AS auction_time
           FROM bids AS b JOIN auctions AS a ON id = auction
             AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL '10 seconds'""",
        """SELECT auction, bidder, seller, price, b.date_time AS bid_time, a.date_time AS auction_time
           FROM (SELECT auction, bidder, price, date_time, {t} AS t FROM bids) AS b
           JOIN (SELECT id, seller, date_time, {t} AS t FROM auctions) AS a ON id = auction
           WHERE t_between""",
    ],
}
SQL["interval-join"][1] = SQL["interval-join"][1].replace("t_between", "b.t - a.t BETWEEN 0 AND 10000000")


def table(directory, name):
    """The files of a table: `bids.parquet`, or all in `bids/`."""
    whole = os.path.join(directory, f"{name}.parquet")
    return whole if os.path.exists(whole) else os.path.join(directory, name, "*.parquet")


class DuckDb:
    def __init__(self, directory, threads):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.sql(f"SET threads = {threads}")
        self.connection.sql("SET preserve_insertion_order = false")
        for name in ("persons", "auctions", "bids"):
            self.connection.sql(f"CREATE VIEW {name} AS SELECT * FROM '{table(directory, name)}'")

    def formulations(self, query):
        return SQL[query]

    def run(self, formulation):
        t = "epoch_us(date_time)"
        sql = formulation.format(t=t, w=f"{t} // 10000000", s=f"{t} // 2000000")
        return self.connection.sql(sql).to_arrow_table().num_rows


class DataFusion:
    def __init__(self, directory, threads):
        import datafusion

        config = datafusion.SessionConfig().with_target_partitions(threads)
        self.context = datafusion.SessionContext(config)
        for name in ("persons", "auctions", "bids"):
            path = table(directory, name)
            self.context.register_parquet(name, path if path.endswith(f"{name}.parquet") else os.path.dirname(path))

    def formulations(self, query):
        return SQL[query]

    def run(self, formulation):
        t = "arrow_cast(arrow_cast(date_time, 'Timestamp(Microsecond, None)'), 'Int64')"
        sql = formulation.format(t=t, w=f"{t} / 10000000", s=f"{t} / 2000000")
        return sum(batch.num_rows for batch in self.context.sql(sql).collect())


class Polars:
    def __init__(self, directory, threads):
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars as pl

        self.pl = pl
        self.frames = {name: pl.scan_parquet(table(directory, name)) for name in ("persons", "auctions", "bids")}

    def formulations(self, query):
        build = getattr(self, query.replace("-", "_"))
        return [(build, engine) for engine in ("streaming", "in-memory")] + [
            (other, engine)
            for name in dir(self)
            if name.startswith(f"{build.__name__}_")
            for other in [getattr(self, name)]
            for engine in ("streaming", "in-memory")
        ]

    def run(self, formulation):
        build, engine = formulation
        return build().collect(engine=engine).height

    def parts(self, of):
        return self.pl.col("date_time").dt.epoch("us") // (of * 1_000_000)

    def q5(self):
        pl = self.pl
        slices = self.frames["bids"].group_by("auction", self.parts(2).alias("slice")).agg(bids=pl.len())
        ends = slices.with_columns(window_end=pl.concat_list([pl.col("slice") + behind for behind in range(1, 6)]))
        counts = ends.explode("window_end").group_by("auction", "window_end").agg(pl.col("bids").sum())
        most = counts.group_by("window_end").agg(pl.col("bids").max())
        return counts.join(most, on=["window_end", "bids"])

    def q5_over(self):
        pl = self.pl
        slices = self.frames["bids"].group_by("auction", self.parts(2).alias("slice")).agg(bids=pl.len())
        shifted = [slices.with_columns(window_end=pl.col("slice") + behind) for behind in range(1, 6)]
        counts = pl.concat(shifted).group_by("auction", "window_end").agg(pl.col("bids").sum())
        return counts.filter(pl.col("bids") == pl.col("bids").max().over("window_end"))

    def q7(self):
        pl = self.pl
        bids = self.frames["bids"].select("auction", "bidder", "price", "date_time", w=self.parts(TEN))
        return bids.join(bids.group_by("w").agg(pl.col("price").max()), on=["w", "price"])

    def q7_over(self):
        pl = self.pl
        bids = self.frames["bids"].select("auction", "bidder", "price", "date_time", w=self.parts(TEN))
        return bids.filter(pl.col("price") == pl.col("price").max().over("w"))

    def q8(self):
        sellers = self.frames["auctions"].select(id="seller", w=self.parts(TEN)).unique()
        return self.frames["persons"].select("id", "name", w=self.parts(TEN)).join(sellers, on=["id", "w"], how="semi")

    def q11(self):
        pl = self.pl
        bids = self.frames["bids"].select("bidder", t=pl.col("date_time").dt.epoch("us")).sort("bidder", "t")
        starts = (pl.col("t") - pl.col("t").shift() >= 10_000_000) | (pl.col("bidder") != pl.col("bidder").shift())
        visits = bids.with_columns(visit=starts.fill_null(True).cum_sum())
        return visits.group_by("visit").agg(
            pl.col("bidder").first(), bids=pl.len(), start=pl.col("t").min(), last=pl.col("t").max()
        )

    def q11_instants(self):
        pl = self.pl
        bids = self.frames["bids"].select("bidder", t=pl.col("date_time").dt.epoch("us"))
        bids = bids.group_by("bidder", "t").agg(bids=pl.len()).sort("bidder", "t")
        starts = (pl.col("t") - pl.col("t").shift() >= 10_000_000) | (pl.col("bidder") != pl.col("bidder").shift())
        visits = bids.with_columns(visit=starts.fill_null(True).cum_sum())
        return visits.group_by("visit").agg(
            pl.col("bidder").first(), pl.col("bids").sum(), start=pl.col("t").min(), last=pl.col("t").max()
        )

    def q12(self):
        return self.frames["bids"].group_by("bidder", self.parts(TEN).alias("w")).agg(bids=self.pl.len())

    def window_join(self):
        bids = self.frames["bids"].select("auction", "bidder", "price", "date_time", w=self.parts(TEN))
        auctions = self.frames["auctions"].select("id", "seller", auction_time="date_time", w=self.parts(TEN))
        return bids.join(auctions, left_on=["auction", "w"], right_on=["id", "w"])

    def window_join_filtered(self):
        pl = self.pl
        bids = self.frames["bids"].select("auction", "bidder", "price", "date_time", w=self.parts(TEN))
        auctions = self.frames["auctions"].select("id", "seller", auction_time="date_time", v=self.parts(TEN))
        return bids.join(auctions, left_on="auction", right_on="id").filter(pl.col("w") == pl.col("v"))

    def interval_join(self):
        pl = self.pl
        bids = self.frames["bids"].select("auction", "bidder", "price", "date_time")
        auctions = self.frames["auctions"].select("id", "seller", auction_time="date_time")
        after = (pl.col("date_time") - pl.col("auction_time")).dt.total_microseconds()
        return bids.join(auctions, left_on="auction", right_on="id").filter(after.is_between(0, 10_000_000))


PEERS = {"duckdb": DuckDb, "datafusion": DataFusion, "polars": Polars}


def main(peer, directory, threads):
    assert glob.glob(table(directory, "bids")), f"no bids in {directory}"
    peer = PEERS[peer](directory, int(threads))
    print("ready", flush=True)
    for line in sys.stdin:
        query, formulation = line.split()
        if query == "formulations":
            print(len(peer.formulations(formulation)), flush=True)
            continue
        formulation = peer.formulations(query)[int(formulation)]
        start = time.perf_counter()
        rows = peer.run(formulation)
        print(f"{time.perf_counter() - start} {rows}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
