#!/usr/bin/env python3
"""Makes the fixtures of old versions: a model of fake_1000 and every pair it makes, as Splink 3 or 4 says.

  make_old.py 3       (pip install "splink==3.*" "duckdb<1.1" "sqlglot<24" "pandas<3" "numpy<2" "pyarrow<21" setuptools)
  make_old.py 4       (pip install "splink==4.*" "duckdb<1.3" "sqlglot<27" "pandas<3" pyarrow)
"""
import os, sys
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq
ver = sys.argv[1]
out = os.path.dirname(os.path.abspath(__file__)) + "/fake_1000"
df=pd.read_csv(f"{out}/records.csv.gz",dtype=str)
df=df.astype(object).where(df.notna(),None)
if ver=="4":
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    s=SettingsCreator(link_type="dedupe_only",unique_id_column_name="key",retain_intermediate_calculation_columns=True,
        blocking_rules_to_generate_predictions=[block_on("surname"),block_on("substr(first_name,1,3)","dob"),block_on("email")],
        comparisons=[cl.NameComparison("first_name"),cl.JaroAtThresholds("surname",[0.9,0.7]).configure(term_frequency_adjustments=True),cl.DamerauLevenshteinAtThresholds("dob",[1,2]),cl.ExactMatch("city").configure(term_frequency_adjustments=True),cl.EmailComparison("email"),cl.JaccardAtThresholds("email",[0.9,0.7])])
    comps=[c.get_comparison("duckdb").as_dict() for c in s.comparisons]
    comps[5]["output_column_name"]="email characters"
    comps[3]["comparison_levels"][1].update(tf_adjustment_weight=0.5,tf_minimum_u_value=0.02)
    s=dict(link_type="dedupe_only",unique_id_column_name="key",retain_intermediate_calculation_columns=True,comparisons=comps,blocking_rules_to_generate_predictions=[block_on("surname").create_blocking_rule_dict("duckdb"),block_on("substr(first_name,1,3)","dob").create_blocking_rule_dict("duckdb"),block_on("email").create_blocking_rule_dict("duckdb")])
    L=Linker(df,s,DuckDBAPI())
    L.training.estimate_probability_two_random_records_match(["l.email = r.email"],recall=0.7)
    L.training.estimate_u_using_random_sampling(max_pairs=1e5,seed=1)
    L.training.estimate_parameters_using_expectation_maximisation("l.dob = r.dob")
    L.training.estimate_parameters_using_expectation_maximisation("l.surname = r.surname and l.first_name = r.first_name")
    L.misc.save_model_to_json(f"{out}/model_v4.json",overwrite=True)
    p=L.inference.predict().as_pandas_dataframe()
else:
    from splink.duckdb.linker import DuckDBLinker
    import splink.duckdb.comparison_library as cl
    import splink.duckdb.comparison_template_library as ctl
    s=dict(link_type="dedupe_only",unique_id_column_name="key",retain_intermediate_calculation_columns=True,
        blocking_rules_to_generate_predictions=["l.surname = r.surname","l.email = r.email and l.dob = r.dob"],
        comparisons=[cl.jaro_winkler_at_thresholds("first_name",[0.9,0.8],term_frequency_adjustments=True),cl.levenshtein_at_thresholds("surname",2),cl.damerau_levenshtein_at_thresholds("dob",[1]),cl.exact_match("city",term_frequency_adjustments=True),cl.jaccard_at_thresholds("email",[0.9])])
    L=DuckDBLinker(df,s)
    L.estimate_probability_two_random_records_match(["l.email = r.email"],recall=0.7)
    L.estimate_u_using_random_sampling(max_pairs=1e5,seed=1)
    L.estimate_parameters_using_expectation_maximisation("l.dob = r.dob")
    L.estimate_parameters_using_expectation_maximisation("l.surname = r.surname and l.first_name = r.first_name")
    L.save_model_to_json(f"{out}/model_v3.json",overwrite=True)
    p=L.predict().as_pandas_dataframe()
t={"left":p["key_l"],"right":p["key_r"],"weight":p["match_weight"]}
for c in p.columns:
    if c.startswith("gamma_"): t[c]=p[c].astype("int8")
pq.write_table(pa.table(t).sort_by([("left","ascending"),("right","ascending")]),f"{out}/pairs_v{ver}.parquet",compression="zstd",compression_level=19)
print(ver,len(p),[c for c in p.columns if c.startswith("gamma_")])
