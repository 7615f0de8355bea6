package rego

// ReadsActor is true when a drift package reads who made a difference: only
// then is a revert worth waiting for the name.
func (e *Evaluator) ReadsActor() bool { return e.bundle != nil && e.bundle.ReadsActor() }
