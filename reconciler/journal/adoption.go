package journal

import "mooring.dev/reconciler/record"

// adoption keeps the newest offer, and what people refused: it is not offered
// again while it is the same. What is offered is refused no more.
func (e *Environment) adoption(a record.Adoption) {
	e.Adoption = a
	for _, item := range a.Items {
		switch a.Outcome {
		case record.AdoptionRefused:
			e.Refused[item.Print] = record.Refusal{Number: a.Number, URL: a.URL, Branch: a.Branch, At: a.At}
		case record.AdoptionOffered:
			delete(e.Refused, item.Print)
		}
	}
	for len(e.Refused) > keepRefused {
		oldest := ""
		for print, r := range e.Refused {
			if o := e.Refused[oldest]; oldest == "" || r.At.Before(o.At) || r.At.Equal(o.At) && print < oldest {
				oldest = print
			}
		}
		delete(e.Refused, oldest)
	}
}
