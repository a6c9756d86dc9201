"""Open, tabulate and plot the results file of a diffphase sweep.

    python3 -m analysis table  runs/NAME          measured critical times beside their predictions
    python3 -m analysis report runs/NAME          figures (PNG, PDF) and index.html under runs/NAME/figures

From Python: `analysis.results.open_results(path)` gives the data set (xarray) with its sweep axes, and
`Results.average(name)` the mean over realizations with the error that belongs to it.
"""
