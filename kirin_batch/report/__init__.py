"""The gallery: one folder with a page of every job and its results. Knows records and files, no gateway.

`content` says what the page tells, `previews` what files show, `page` is the HTML, `folder` lies it all down. The page
gets its content as one JSON document and builds itself from it, so that another source may feed the same page.
"""

__all__: list[str] = []
