"""What can be wrong with a file that a client names.

FileError
├── NoSuchFile       there is no such file
├── FileConflict     another file has that name
├── FileTooLarge     an upload or a picture is larger than the server takes
└── NoRoom           the disk is full
"""

from engine.errors import FileError


class NoSuchFile(FileError):
    code = "no_such_file"


class FileConflict(FileError):
    code = "file_conflict"


class FileTooLarge(FileError):
    code = "file_too_large"


class NoRoom(FileError):
    code = "no_room"
