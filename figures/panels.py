"""A panel as data: marks, drawn in their order, and what is set of its axes."""

from .common import curve, cut_map, heat_map, log_axis


def line(x, y, *form, **look):
    """A curve, or dots; how they look as matplotlib's plot has it."""
    return "plot", (x, y, *form), look


def bars(x, y, error=None, **look):
    """Dots with error bars up and down; xerr=... for bars left and right."""
    return "errorbar", (x, y, error), look


def level(y, **look):
    """A horizontal line over the whole width."""
    return "axhline", (y,), look


def panel(axes, *marks, legend=None, log_x=None, log_y=None, title=None, place=None, **settings):
    """Draw the marks, set the settings (limits, labels) and the title, placed as axes.set_title has it;
    log_x, log_y: (ticks, label) of a logarithmic axis with plain numbers; legend: how, None: without.
    """
    for method, data, look in marks:
        getattr(axes, method)(*data, **look)
    axes.set(**settings)
    axes.set_title(title or "", **(place or {}))
    for which, axis in (("x", log_x), ("y", log_y)):
        if axis:
            log_axis(axes, *axis, which)
    if legend is not None:
        axes.legend(**legend)


def maps(panels, snrs, Ns, losses, level, titles, *, curves=(), hatched=None, **colours):
    """Two panels: test loss (S,n) over SNR and N, and its cut at a level; on both the curves N SNR^2 = c,
    pairs of c and their look. titles: of each, {} standing for what it shows. Returns the two meshes.
    """
    mesh = heat_map(panels[0], snrs, Ns, losses, hatched, **colours)
    cut = cut_map(panels[1], snrs, Ns, losses, level, hatched)
    for axes, title, what in zip(panels, titles, ("test loss", f"cut at {level}")):
        for c, look in curves:
            curve(axes, c, **look)
        axes.set(yticks=Ns, title=title.format(what))
    return mesh, cut
