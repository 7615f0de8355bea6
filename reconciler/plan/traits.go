package plan

import "mooring.dev/sources/manifest"

// traits are what the planner knows of a kind. The zero traits are a child of
// a function: made and written when the new version serves, put back when
// somebody changes it.
type traits struct {
	foreign bool // exists beside Mooring: checked, never written
	tagged  bool // carries ownership tags of its own: it stands alone
	// kept stays when it is no longer declared, unless it lives with
	// deletionPolicy: Delete: what it holds cannot be made again.
	kept bool
	// parent is the kind a child lives on; "" is Function.
	parent string
	// perVersion kinds name their fields after the version that carries the
	// release: a new one is our own doing, and the old one's goes when the new
	// one serves.
	perVersion bool
	// lasting is of what is perVersion and stays on the versions that carried
	// releases before: it costs nothing there, and a way back finds it.
	lasting bool
	// published kinds are made of immutable versions: what lives of one is the
	// version that carries what is declared, if any does.
	published bool
	// identified kinds have an id that another of the same name does not get:
	// what refers to it by its id does not find the other.
	identified bool
	// rank orders removals: what refers before what is referred to.
	rank int

	made    func(w *world, res *manifest.Resource) class // nil: connects
	written func(d diff) class                           // of a changed field; nil: connects, but for wider
	wider   []string                                     // numbers of which more hurts nobody who relied on less

	judge   func(d drifted) judgement // of a changed field; nil: revertMedium
	missing judgement                 // of its absence; zero: revertMedium
}

// Ranks of removal.
const (
	rankSource      = iota // what invokes
	rankURL                // what answers
	rankPermission         // what allows
	rankAsync              // what follows
	rankConcurrency        // what limits
	rankAlias              // what traffic goes through
	rankWorkflow           // what runs functions
	rankFunction           // what runs
	rankRole               // what it runs as
	rankStore              // what it works with
	rankLast               // what is not known
)

// traitsOf is the table of kinds. A further kind is one row.
func traitsOf(kind string) traits {
	switch kind {
	case manifest.KindFunction:
		return traits{tagged: true, rank: rankFunction, made: early, written: unpublished, judge: judgeFunction, missing: gone}
	case manifest.KindAlias:
		return traits{rank: rankAlias, judge: judgeAlias, missing: revertHigh}
	case manifest.KindWorkflow:
		return traits{tagged: true, rank: rankWorkflow, made: early, written: unpublished, judge: judgeWorkflow, missing: gone}
	case manifest.KindWorkflowAlias:
		return traits{parent: manifest.KindWorkflow, rank: rankAlias, judge: judgeAlias, missing: revertHigh}
	case manifest.KindTrigger:
		return traits{rank: rankSource, judge: judgeTrigger, missing: revertHigh}
	case manifest.KindPermission:
		return traits{rank: rankPermission, made: permissionMade, judge: judgePermission, missing: revertHigh}
	case manifest.KindURL:
		return traits{rank: rankURL, judge: judgeURL, missing: revertHigh}
	case manifest.KindAsync:
		return traits{rank: rankAsync}
	case manifest.KindConcurrency:
		return traits{rank: rankConcurrency, made: concurrencyMade, wider: []string{"reservedConcurrentExecutions"}, judge: judgeConcurrency}
	case manifest.KindProvisioned:
		return traits{rank: rankConcurrency, perVersion: true, made: early, written: versionWritten, judge: judgeProvisioned}
	case manifest.KindRuntimeManagement:
		return traits{rank: rankConcurrency, perVersion: true, lasting: true, made: early, written: versionWritten}
	case manifest.KindRole:
		return traits{tagged: true, identified: true, rank: rankRole, made: roleMade, written: roleWritten, judge: judgeRole, missing: gone}
	case manifest.KindQueue:
		return traits{tagged: true, rank: rankStore, made: early, wider: widerQueue, judge: judgeQueue, missing: gone}
	case manifest.KindAPI:
		return traits{tagged: true, rank: rankStore, made: afterAliases, written: apiWritten, judge: judgeAPI, missing: gone}
	case manifest.KindRoute: // it has no tags: its owner is its API's
		return traits{tagged: true, rank: rankSource, judge: judgeRoute, missing: revertHigh}
	case manifest.KindAlarm:
		return traits{tagged: true, rank: rankSource, made: afterAliases, written: unpublished, judge: judgeAlarm, missing: alarmGone}
	case manifest.KindLogGroup:
		return traits{tagged: true, kept: true, rank: rankStore, made: afterAliases, written: logGroupWritten, judge: judgeLogGroup}
	case manifest.KindTopic:
		return traits{tagged: true, rank: rankStore, made: early, judge: judgeTopic, missing: gone}
	case manifest.KindSubscription: // it has no tags: its owner is its parent's
		return traits{tagged: true, rank: rankSource, judge: judgeSubscription, missing: revertHigh}
	case manifest.KindRule:
		return traits{tagged: true, rank: rankSource, judge: judgeRule, missing: revertHigh}
	case manifest.KindSchedule: // it has no tags: its description names its owner
		return traits{tagged: true, rank: rankSource, judge: judgeSchedule, missing: revertHigh}
	case manifest.KindLayer:
		return traits{tagged: true, published: true, rank: rankStore, made: early, written: layerWritten, judge: judgeLayer}
	case manifest.KindTable:
		return traits{tagged: true, kept: true, rank: rankStore, made: early, written: tableWritten, judge: judgeTable, missing: gone}
	case manifest.KindBucket:
		return traits{tagged: true, kept: true, rank: rankStore, made: early, judge: judgeBucket, missing: gone}
	case manifest.KindNotification:
		return traits{rank: rankSource, missing: revertHigh}
	case manifest.KindSecret, manifest.KindParameter:
		return traits{foreign: true, rank: rankLast, judge: judgeForeign, missing: gone}
	}
	return traits{rank: rankLast}
}

var widerQueue = []string{
	"visibilityTimeout", "messageRetentionPeriod", "maximumMessageSize", "redrive.maxReceiveCount", "redrivePolicy.maxReceiveCount",
	"kmsDataKeyReusePeriodSeconds", "redrivePolicy.sourceQueueArns", "redriveAllowPolicy.sourceQueueArns",
}
