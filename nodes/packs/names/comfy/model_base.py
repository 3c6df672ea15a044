"""What a model predicts, and its type: the module ``comfy.model_base``. Its rest is placeholders."""

from nodes.packs.names.placeholders import Absent, members_of
from nodes.packs.objects.base_model import BaseModel as OurBaseModel
from nodes.packs.objects.base_model import ModelType

__all__ = ["BaseModel", "ModelType"]
__getattr__ = members_of(__name__)


class BaseModel(metaclass=Absent):
    """The type of the networks of models. It can't be made."""

    absent_name = "comfy.model_base.BaseModel"


BaseModel.register(OurBaseModel)
