#!/usr/bin/env python3
"""Makes the fixtures beside it: what Splink itself says about every pair of two data sets.

  make.py SHARED      (the folder that holds data/ and peers/; Python with splink 5, duckdb, pandas, pyarrow)

For each set: the records as Splink read them, the trained model as Splink saves it, and every pair of the blocking
rules with Splink's match weight and levels (gamma, -1 for null). Models: those of Splink's own examples, see
peers/splink_run.py. `functions.tsv` and `dates.tsv`: DuckDB's functions on random
texts, which `crates/matching/src/predicate/tests.rs` holds ours to.
"""
import gzip, os, random, sys
SHARED = sys.argv[1]
sys.path.insert(0, f"{SHARED}/peers")
import duckdb, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
from splink import DuckDBAPI, Linker, SettingsCreator
import common, splink_run
HERE = os.path.dirname(os.path.abspath(__file__))


def scored(name):
    out = f"{HERE}/{name}"
    os.makedirs(out, exist_ok=True)
    df, _ = common.load(name)
    model = splink_run.MODELS[name]()
    con = duckdb.connect()
    con.register("input", df)
    con.execute(f"create table prepared as select {model.get('columns', '*')} from input")
    db, data = DuckDBAPI(connection=con), []
    for source in df["source"].unique():
        table = con.sql(f"select * exclude (source) from prepared where source = '{source}'").to_arrow_table()
        text = table.to_pandas().to_csv(index=False)
        with gzip.GzipFile(f"{out}/{source}.csv.gz", "wb", 9, mtime=0) as file:
            file.write(text.encode())
        data.append(db.register(table, dataset_display_name=source))
    settings = SettingsCreator(link_type="link_only" if model.get("link") else "dedupe_only", unique_id_column_name="key",
                               retain_intermediate_calculation_columns=True,
                               blocking_rules_to_generate_predictions=model["blocking"], comparisons=model["comparisons"])
    linker = Linker(data if len(data) > 1 else data[0], settings)
    linker.training.estimate_probability_two_random_records_match(model["certain"], recall=model["recall"])
    linker.training.estimate_u_using_random_sampling(max_pairs=model["u"], seed=1)
    for rule in model["em"]:
        linker.training.estimate_parameters_using_expectation_maximisation(rule, estimate_without_term_frequencies=True)
    saved = f"{out}/model.json"
    if os.path.exists(saved):
        os.remove(saved)
    linker.misc.save_model_to_json(saved)
    made = con.sql(f"select * from {linker.inference.predict().physical_name}").to_df()
    gammas = [c for c in made.columns if c.startswith("gamma_")]
    table = {"left": made["key_l"], "right": made["key_r"], "weight": made["match_weight"]}
    for c in gammas:
        table[c] = made[c].astype("int8")
    table = pa.table(table).sort_by([("left", "ascending"), ("right", "ascending")])
    pq.write_table(table, f"{out}/pairs.parquet", compression="zstd", compression_level=19)
    print(name, len(made), gammas)


def tsv(rows, name):
    names = rows.columns
    with open(f"{HERE}/{name}", "w", encoding="utf-8") as file:
        file.write("\t".join(names) + "\n")
        for row in rows.fetchall():
            file.write("\t".join("NULL" if x is None else x if isinstance(x, str) else repr(float(x)) for x in row) + "\n")


def functions(count=6_000):
    draw = random.Random(7)
    alphabets = ["ab", "abc ", "aeiourstln", "éèaeßoöøñ", "日本東京ab", "0123456789-"]
    def word():
        return "".join(draw.choice(draw.choice(alphabets)) for _ in range(draw.choice([1, 2, 3, 5, 8, 12, 20, 70])))
    def changed(text):
        text = list(text)
        for _ in range(draw.randrange(4)):
            at = draw.randrange(len(text) + 1)
            kind = draw.randrange(3)
            if kind == 0: text.insert(at, draw.choice(draw.choice(alphabets)))
            elif kind == 1 and at < len(text): del text[at]
            elif at + 1 < len(text): text[at], text[at + 1] = text[at + 1], text[at]
        return "".join(text)
    a = [word() for _ in range(count)]
    b = [changed(x) if draw.random() < 0.7 else word() for x in a]
    pairs = pd.DataFrame({"a": a, "b": b})
    con = duckdb.connect()
    con.register("pairs", pairs)
    tsv(con.sql(r"""select a, b, levenshtein(a, b) as levenshtein, damerau_levenshtein(a, b) as damerau_levenshtein,
        jaro_similarity(a, b) as jaro_similarity, jaro_winkler_similarity(a, b) as jaro_winkler_similarity,
        case when a <> '' and b <> '' then jaccard(a, b) end as jaccard,
        substr(a, 2, 3) as substr, left(b, -1) as shorter, lower(b) as lower, reverse(a) as reverse,
        regexp_extract(a, '^\w+') as word, split_part(a, ' ', 2) as part from pairs"""), "functions.tsv")
    texts = []
    for _ in range(3000):
        t = "".join(draw.choice(["1990", "01", "1", "12", "31", "30", "00", "13", "-", "-", "-", " ", "2", "2000", "29"]) for _ in range(draw.randrange(1, 7)))
        texts.append(t)
    texts += [f"{draw.randrange(0,9999):04}-{draw.randrange(0,14):02}-{draw.randrange(0,33):02}" for _ in range(1500)]
    con.register("texts", pd.DataFrame({"text": texts}))
    tsv(con.sql("""select text, epoch(try_strptime(text, '%Y-%m-%d')) as dashed, epoch(try_strptime(text, '%Y%m%d')) as plain,
        epoch(try_strptime(text, '%d-%m-%Y')) as british from texts"""), "dates.tsv")


if __name__ == "__main__":
    for name in [x for x in sys.argv[2:] if x != "-"] or ([] if "-" in sys.argv else ["fake_1000", "febrl4"]):
        scored(name)
    functions()
