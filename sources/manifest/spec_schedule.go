package manifest

// KindSchedule is a schedule of EventBridge Scheduler; Schedule/checkout.hourly
// is one of a function.
const KindSchedule = "Schedule"

// ScheduleSpec is a schedule. Members are CreateSchedule's. A schedule that is
// over stays until it is declared no more: ActionAfterCompletion is NONE.
type ScheduleSpec struct {
	Description                string             `json:"description,omitempty"`
	GroupName                  string             `json:"groupName"` // default "default"
	ScheduleExpression         string             `json:"scheduleExpression"`
	ScheduleExpressionTimezone string             `json:"scheduleExpressionTimezone"` // default UTC
	FlexibleTimeWindow         FlexibleTimeWindow `json:"flexibleTimeWindow"`
	StartDate                  string             `json:"startDate,omitempty"` // RFC 3339, UTC
	EndDate                    string             `json:"endDate,omitempty"`
	State                      string             `json:"state"` // default ENABLED
	KmsKeyArn                  string             `json:"kmsKeyArn,omitempty"`
	Target                     ScheduleTarget     `json:"target"`
}

// FlexibleTimeWindow is how far from its time a schedule may fire.
type FlexibleTimeWindow struct {
	Mode                   string `json:"mode" is:"default=OFF,enum=OFF|FLEXIBLE" doc:"OFF fires at the time, FLEXIBLE within the window after it."`
	MaximumWindowInMinutes int    `json:"maximumWindowInMinutes,omitempty" is:"min=1,max=1440" doc:"Minutes of the window; with FLEXIBLE."`
}

// ScheduleTarget is what a schedule calls.
type ScheduleTarget struct {
	Arn            Value        `json:"arn"`
	RoleArn        Value        `json:"roleArn"`
	Input          any          `json:"input,omitempty"` // JSON
	DeadLetter     Value        `json:"deadLetter,omitzero"`
	RetryPolicy    *RetryPolicy `json:"retryPolicy,omitempty"`
	MessageGroupID string       `json:"messageGroupId,omitempty"` // of a FIFO queue
}
