"""Audits of generators: how many of their melodies copy what they were trained on.

`sets` reads melodies; `ranking` finds the works that each sample follows best, of the training set and
of a control set at once; `rates` makes of it how often either is copied, and how sure that is;
`auditing` does all of it and goes on where it was stopped; `audit_files` writes what came out.
"""
