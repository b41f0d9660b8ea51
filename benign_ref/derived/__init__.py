"""What follows from the paper's equations: the run drawn in law, the limit of large d and d_h, its
boundary.
"""
