"""The type of models: the module ``comfy.model_patcher``. Its rest is placeholders."""

from nodes.packs.names.placeholders import Absent, members_of
from nodes.packs.objects.model import ModelPatcher as OurModel

__getattr__ = members_of(__name__)


class ModelPatcher(metaclass=Absent):
    """The type of models of nodes. It can't be made."""

    absent_name = "comfy.model_patcher.ModelPatcher"


ModelPatcher.register(OurModel)
