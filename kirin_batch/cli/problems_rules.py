"""Every rule that a problem may name, in words for code scanning. A test holds that the table is complete."""

from dataclasses import dataclass

from kirin_batch.problems import Severity

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id as `Problem.rule` has it, a sentence that says what it asks, one that says what to do."""

    id: str
    description: str
    help: str
    severity: Severity = Severity.ERROR


_SEE_SCHEMA = "`kirin-batch schema MODEL` prints what the model takes."
_SEE_MESSAGE = "The message says what would be right."

_OF_SCHEMAS = (
    Rule("type", "A value has the type that its key asks for.", "Quotes make text of a number; leave them out."),
    Rule("enum", "A value is one of those that are allowed.", f"Use a value of the message's list. {_SEE_SCHEMA}"),
    Rule("const", "A value is the only one that is allowed.", "Use the value that the message names."),
    Rule("minimum", "A number is not too small.", "Use the smallest number that the message names, or more."),
    Rule("maximum", "A number is not too large.", "Use the largest number that the message names, or less."),
    Rule("exclusiveMinimum", "A number is above its limit.", "Use more than the number that the message names."),
    Rule("exclusiveMaximum", "A number is below its limit.", "Use less than the number that the message names."),
    Rule("multipleOf", "A number is a multiple of another.", "Use a multiple of the number that the message names."),
    Rule("minLength", "A text is long enough.", "Write at least as many characters as the message says."),
    Rule("maxLength", "A text is not too long.", "Shorten it to as many characters as the message says."),
    Rule("pattern", "A text has the form that its key asks for.", _SEE_MESSAGE),
    Rule("minItems", "A list has enough items.", "Add items until there are as many as the message says."),
    Rule("maxItems", "A list has not too many items.", "Remove items until there are as many as the message says."),
    Rule("uniqueItems", "A list has no item twice.", "Remove the item that stands there already."),
    Rule("items", "A list has no item beyond those that are allowed.", f"Remove what is too much. {_SEE_SCHEMA}"),
    Rule("contains", "A list has an item of the kind that is asked for.", f"Add such an item. {_SEE_SCHEMA}"),
    Rule("minContains", "A list has enough items of the kind that is asked for.", f"Add such items. {_SEE_SCHEMA}"),
    Rule("maxContains", "A list has not too many items of one kind.", f"Remove some of them. {_SEE_SCHEMA}"),
    Rule("minProperties", "A mapping has enough keys.", "Add keys until there are as many as the message says."),
    Rule(
        "maxProperties", "A mapping has not too many keys.", "Remove keys until there are as many as the message says."
    ),
    Rule("required", "What is needed is there.", "Add the key, in the job or in defaults."),
    Rule("dependentRequired", "What another key needs is there.", "Add the key, or remove the one that needs it."),
    Rule("additionalProperties", "Every key is known.", f"Correct its spelling, or remove it. {_SEE_SCHEMA}"),
    Rule("unevaluatedProperties", "Every key is known.", f"Correct its spelling, or remove it. {_SEE_SCHEMA}"),
    Rule("unevaluatedItems", "A list has no item beyond those that are allowed.", "Remove what is too much."),
    Rule("if", "No parameters stand together that exclude each other.", _SEE_MESSAGE),
    Rule("not", "Nothing stands where it is not allowed.", "Remove the parameter, or what forbids it."),
    Rule("anyOf", "A value fits one of the forms that are allowed.", _SEE_MESSAGE),
    Rule("oneOf", "A value fits just one of the forms that are allowed.", _SEE_MESSAGE),
)
_OF_MODELS = (
    Rule("x-image", "An image is one that the model takes.", "Use an image of a format, size and shape that it takes."),
    Rule("x-placeholders", "An image that a text names is there.", "Add the image, or remove its name from the text."),
    Rule("x-total", "Several lists together are not too long.", "Remove items until there are as few as is said."),
    Rule("x-sum", "The parts add up to the whole.", "Change a part, or the whole."),
    Rule("x-distinct-images", "Images differ where they must.", "Use another image."),
    Rule("x-same-form", "Images are all URLs, or none is.", "Give all as URLs, or all as local files or Base64."),
    Rule("x-unsupported", "No parameter is used that cannot be sent.", "Remove it; the message says why."),
    Rule("x-warnings", "No values are used that may not work together.", "Change one of them.", Severity.WARNING),
)
_OF_FILES = (
    Rule("yaml", "A file is YAML 1.2.", "Correct the text at this place."),
    Rule("file", "A file can be read.", "Correct its path, or put the file there."),
    Rule("file-size", "A file is not too large.", "Make several of it, or raise the limit that the message names."),
    Rule("file-name", "The name of a spec can be part of an id.", "Rename the file."),
    Rule("outside", "A path stays inside the project.", "Move it inside, or set `allow_outside: true` in kirin.yaml."),
    Rule("poll", "The shortest time between two queries is not above the longest.", "Correct `poll:` in kirin.yaml."),
)
_OF_JOBS = (
    Rule("model", "The model of a job is known.", "`kirin-batch schema` lists the models."),
    Rule("matrix", "A matrix makes jobs that can be told apart.", _SEE_MESSAGE),
    Rule("idle-exclude", "What a matrix excludes is in it.", "Correct the value, or remove it.", Severity.WARNING),
    Rule("expression", "An expression names something that is there.", _SEE_MESSAGE),
    Rule("reference", "A job that another one needs is there, and makes what is asked of it.", _SEE_MESSAGE),
    Rule("cycle", "No jobs wait for each other for ever.", "Remove one of the references."),
    Rule("duplicate-job", "Every job has an id of its own.", "Rename a job, or one of the files."),
    Rule("slots", "A job fits into the slots of the account.", "Ask for less, or raise `limits:` in kirin.yaml."),
    Rule("outputs", "Every result has a place of its own.", "Tell results apart in `outputs:`."),
    Rule("external-task-id", "An external_task_id is known and used once.", "Use another one, or leave it out."),
    Rule("unused-var", "Every variable is used.", "Use it, or remove it.", Severity.WARNING),
)
RULES = (*_OF_SCHEMAS, *_OF_MODELS, *_OF_FILES, *_OF_JOBS)  # ids are part of what users rely on, the order is not
